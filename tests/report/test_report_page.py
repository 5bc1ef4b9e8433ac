from __future__ import annotations

import re
import typing
from html.parser import HTMLParser

import pytest

from autolect.report import plots
from autolect.report.blocks import (
    Block,
    Chapter,
    Command,
    Facts,
    Figure,
    Headline,
    Marked,
    Note,
    Prose,
    Table,
    TextPairs,
)
from autolect.report.page import render

HOSTILE = (
    "</style></title><script src=//evil>alert(1)</script><img src=x onerror=1>{{7*7}}\"'&\u202e\x1b]0;\ud800"
)
SAFE = {"html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section", "footer"}
SAFE |= {"h1", "h2", "p", "dl", "dt", "dd", "div", "ol", "li", "a", "table", "caption", "thead", "tbody"}
SAFE |= {"tr", "th", "td", "figure", "figcaption", "mark", "b", "span", "pre", "code"}
SAFE |= {"svg", "g", "path", "text", "defs", "use", "clippath", "rect"}
VOID = {"meta"}


def blocks(text: str) -> dict[str, Block]:
    svg = plots.bars([text], [1.0], highlight=0, x=text)
    end = len(text)
    return {
        "Facts": Facts(((text, text),)),
        "Table": Table((text, "n"), ((text, "1"), (text, "2")), text, highlight_row=1),
        "Figure": Figure(svg, text, text),
        "Prose": Prose(text),
        "Note": Note(text, "warn"),
        "TextPairs": TextPairs(((text, text + "!"),), text),
        "Marked": Marked(text, ((0, end, text),), text, ((0, end, "other"),)),
        "Command": Command(text),
    }


def page(*content: Block, title: str = "title") -> str:
    headline = (Headline("F1", "0.913", "on test"),)
    return render(title, subtitle="", headline=headline, chapters=[Chapter("One", "", content)])


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    return reader


def everything(text: str) -> str:
    content = tuple(blocks(text).values())
    return render(
        text,
        subtitle=text,
        headline=(Headline(text, text, text),),
        chapters=[Chapter(text, text, content), Chapter("二", "", ())],
    )


def test_hostile_text_is_shown_and_never_acts() -> None:
    html = everything(HOSTILE)
    html.encode("utf-8")
    reader = read(html)
    assert {tag for tag, _ in reader.tags} <= SAFE
    for _, attributes in reader.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "src"]
    assert "<script" not in html
    assert "49" not in re.sub(r"<svg.*?</svg>|<style>.*?</style>", "", html, flags=re.S)
    assert not {"\u202e", "\x1b"} & set(html)
    assert any("alert(1)" in text and "⟨RLO⟩⟨ESC⟩" in text for text in reader.texts)


@pytest.mark.parametrize("name", blocks("x"))
def test_each_block_shows_its_text_escaped(name: str) -> None:
    html = page(blocks("<i>北京&大学</i>")[name])
    main = html[html.index("<main>") :]
    assert "<i>" not in main
    assert "<i>北京&大学</i>" in "".join(read(main[: main.index("</main>") + 7]).texts)


def test_every_kind_of_block_is_tested_here() -> None:
    assert set(blocks("x")) == {kind.__name__ for kind in typing.get_args(Block)}


def test_nothing_is_loaded_from_elsewhere() -> None:
    html = everything("北京大学")
    assert "://" not in html.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"@import|url\((?!#)|\ssrc=|<link|<iframe|<object|data:", html)
    assert all(value.startswith("#") for value in re.findall(r'href="([^"]*)"', html))
    assert "default-src 'none'" in html


def test_the_same_content_gives_the_same_bytes() -> None:
    assert everything("北京") == everything("北京")


def test_the_file_starts_as_html_and_states_its_encoding() -> None:
    html = page()
    assert html.startswith("<!doctype html>\n")
    assert '<meta charset="utf-8">' in html[:200]


def test_contents_lead_to_their_chapters() -> None:
    chapters = [Chapter("结果", "lead"), Chapter("Data", "")]
    html = render("t", subtitle="s", headline=(), chapters=chapters)
    assert re.findall(r'<a href="#(chapter-\d)">(.*?)</a>', html) == [
        ("chapter-1", "结果"),
        ("chapter-2", "Data"),
    ]
    assert re.findall(r'<section id="(.*?)">', html) == ["chapter-1", "chapter-2"]


def test_one_chapter_needs_no_contents() -> None:
    assert "<nav" not in page(Prose("x"))


def test_an_empty_report_is_still_a_page() -> None:
    read(render("", subtitle="", headline=(), chapters=()))


def test_the_own_row_stands_out() -> None:
    html = page(Table(("a",), (("other",), ("mine",)), highlight_row=1))
    assert re.findall(r'<tr class="own"><td[^>]*>(.*?)</td>', html) == ["mine"]


def test_a_faithful_reconstruction_is_ticked_and_a_wrong_word_marked() -> None:
    html = page(TextPairs((("我在上海", "我在上海"), ("go home", "go out"))))
    assert html.count('<tr class="same">') == 1
    assert re.findall(r'<mark class="differs">(.*?)</mark>', html) == ["home", "out"]


def test_a_label_has_one_colour_in_the_whole_page() -> None:
    one, other = Marked("ab", ((0, 1, "B"),)), Marked("ab", ((0, 1, "A"), (1, 2, "B")))
    found = re.findall(r"hue-(\d)[^>]*>.<b>(.)</b>", page(one, other))
    assert found == [("1", "B"), ("0", "A"), ("1", "B")]


def test_gold_and_predicted_stand_below_each_other() -> None:
    html = page(Marked("北京大学", ((0, 2, "LOC"),), "", ((0, 4, "ORG"),)))
    assert re.findall(r'class="whose">(.*?)<', html) == ["gold", "predicted"]
    assert len(re.findall(r'class="span hue-\d differs"', html)) == 2


def test_only_lines_that_start_a_command_have_a_prompt() -> None:
    html = page(Command("autolect run \\\n  recipe.toml\nautolect serve x"))
    assert re.findall(r"<code( class=\"starts\")?>(.*?)\n", html) == [
        (' class="starts"', "autolect run \\"),
        ("", "  recipe.toml"),
        (' class="starts"', "autolect serve x"),
    ]
