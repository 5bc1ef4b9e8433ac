"""The page in a real browser: every panel works, and hostile text is only ever text."""

from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn

from autolect.serve.app import create_app
from autolect.serve.limits import ServeSettings

if TYPE_CHECKING:
    from tests.serve.conftest import FakeModel

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
KEY = "a-long-enough-secret-key"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
]
CONTROL, ENTER, ARROW_LEFT, ARROW_RIGHT, ARROW_DOWN = "\ue009", "\ue007", "\ue012", "\ue014", "\ue015"
Show = Callable[..., None]
SHOTS = os.environ.get("AUTOLECT_SCREENSHOTS", "")


class Browser:
    """As much of W3C WebDriver as these tests need."""

    def __init__(self, driver: str, profile: Path) -> None:
        arguments = [*FLAGS, f"--user-data-dir={profile}", "--window-size=1280,900"]
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        self._http = httpx.Client(base_url=driver, timeout=30)
        body = {"capabilities": {"alwaysMatch": wanted}}
        self._session = f"/session/{self._http.post('/session', json=body).json()['value']['sessionId']}"

    def command(self, path: str, body: dict[str, Any] | None = None) -> Any:
        reply = self._http.post(f"{self._session}{path}", json=body or {})
        assert reply.is_success, reply.text
        return reply.json()["value"]

    def open(self, address: str) -> None:
        self.command("/url", {"url": address})
        self.wait("document.getElementById('name').textContent.indexOf('Loading') < 0")

    def run(self, script: str, *arguments: object) -> Any:
        return self.command("/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, condition: str) -> None:
        end = time.monotonic() + 10
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < end, f"never true: {condition}"
            time.sleep(0.02)

    def element(self, selector: str) -> str:
        found = self.command("/element", {"using": "css selector", "value": selector})
        return str(found[ELEMENT])

    def click(self, selector: str) -> None:
        self.command(f"/element/{self.element(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        """Replace what a field holds, as a person would."""
        self.command(f"/element/{self.element(selector)}/clear")
        self.keys(selector, text)

    def keys(self, selector: str, text: str) -> None:
        self.command(f"/element/{self.element(selector)}/value", {"text": text})

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def ask(self, ability: str) -> str:
        """Open a panel, send what its form holds, and give the text of the answer."""
        self.click(f"#tab-{ability}")
        result = f"#panel-{ability} .result"
        self.run("document.querySelector(arguments[0]).replaceChildren()", result)
        self.click(f"#panel-{ability} button.main")
        self.wait(f"document.querySelector('{result}').childNodes.length")
        return self.text(result)

    def size(self, width: int, height: int) -> None:
        self.command("/window/rect", {"width": width, "height": height})

    def complaints(self) -> list[str]:
        """What the console has said since the last call."""
        return [entry["message"] for entry in self.command("/se/log", {"type": "browser"})]

    def shot(self, name: str) -> None:
        """A picture for a person to look at, where AUTOLECT_SCREENSHOTS names a folder."""
        if SHOTS:
            shot = self._http.get(f"{self._session}/screenshot").json()["value"]
            Path(SHOTS, f"page-{name}.png").write_bytes(base64.b64decode(shot))

    def close(self) -> None:
        self._http.delete(self._session)
        self._http.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not chromedriver:
        missing = "the page is not tested: `apt-get install chromium chromium-driver` brings the browser"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with subprocess.Popen([chromedriver, "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout is not None
            found = next(filter(None, (re.search(r"on port (\d+)\.", line) for line in driver.stdout)))
            browser = Browser(f"http://127.0.0.1:{found[1]}", tmp_path_factory.mktemp("profile"))
            yield browser
            browser.close()
        finally:
            driver.terminate()


@contextmanager
def serving(model: FakeModel, **settings: Any) -> Iterator[str]:
    """The application on a free port of loopback, and its address."""
    app = create_app(model, settings=ServeSettings(**settings))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", lifespan="on"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield address
        finally:
            server.should_exit = True
            thread.join(timeout=10)


@pytest.fixture
def show(browser: Browser) -> Iterator[Show]:
    """show(model): the page of a model is open; at the end the console must have been silent."""
    with ExitStack() as stack:

        def open_page(model: FakeModel, **settings: Any) -> None:
            browser.open(stack.enter_context(serving(model, **settings)))

        browser.size(1280, 900)
        yield open_page
        assert browser.complaints() == []


def test_there_is_a_panel_for_each_ability_and_no_other(
    browser: Browser, show: Show, tagger: FakeModel
) -> None:
    show(tagger)
    tabs = browser.run("return [...document.querySelectorAll('[role=tab]')].map(t => t.textContent)")
    assert tabs == ["Tag", "Compare"]


def test_the_card_tells_the_facts_of_the_model(browser: Browser, show: Show, model: FakeModel) -> None:
    show(model)
    card = browser.text("aside")
    assert browser.text("h1") == "fake-zh"
    assert "Chinese" in browser.text("#summary")
    for fact in ("5,242,880", "autoencode", "Accuracy", "0.9312", "good", "bad"):
        assert fact in card


def test_fill_puts_the_chosen_token_in_the_sentence(browser: Browser, show: Show, model: FakeModel) -> None:
    show(model)
    browser.click("#tab-fill")
    browser.type("#fill-text", "one ")
    browser.click("#panel-fill .actions button[type=button]")
    browser.keys("#fill-text", " two [MASK]")
    browser.ask("fill")
    assert browser.text("#panel-fill .prose") == "one 天 two 天"
    browser.click("#panel-fill fieldset:nth-of-type(2) .bar:nth-child(3)")
    assert browser.text("#panel-fill .prose") == "one 天 two 人"
    browser.shot("fill")


def test_classify_shows_each_label_with_its_share(browser: Browser, show: Show, model: FakeModel) -> None:
    show(model)
    shown = browser.ask("classify")
    assert "good" in browser.text("#panel-classify .bar.best")
    assert "60.0 %" in shown
    assert browser.run("return document.querySelectorAll('#panel-classify .bar').length") == 3
    width = "document.querySelector('#panel-classify .level').style.inlineSize"
    assert browser.run(f"return {width}") == "60%"
    browser.shot("classify")


def test_tag_marks_spans_by_code_points(browser: Browser, show: Show, tagger: FakeModel) -> None:
    show(tagger)
    browser.run("document.getElementById('tag-text').value = '😀天地人'")
    browser.ask("tag")
    marks = browser.run("return [...document.querySelectorAll('mark')].map(m => m.firstChild.data)")
    assert marks == ["😀天", "地人"]
    browser.shot("tag")


def test_reconstruct_shows_what_changed(browser: Browser, show: Show, model: FakeModel) -> None:
    show(model)
    browser.click("#tab-reconstruct")
    browser.type("#reconstruct-text", "the cat sat on the mat and went home")
    shown = browser.ask("reconstruct")
    changed = "return [...document.querySelectorAll(arguments[0])].map(one => one.textContent)"
    assert browser.run(changed, "#panel-reconstruct del") == ["cat", "sat", "mat", "and"]
    assert browser.run(changed, "#panel-reconstruct ins") == ["cet", "set", "met", "end"]
    assert "55.6 % of the words came back" in shown
    browser.shot("reconstruct")


def test_compare_shows_a_symmetric_matrix(browser: Browser, show: Show, model: FakeModel) -> None:
    show(model)
    browser.ask("embed")
    cells = "return [...document.querySelectorAll('.matrix tbody td')].map(one => one.textContent)"
    matrix = browser.run(cells)
    assert [matrix[0], matrix[4], matrix[8]] == ["1.000"] * 3
    assert [matrix[1], matrix[2], matrix[5]] == [matrix[3], matrix[6], matrix[7]]
    browser.run("document.getElementById('embed-C').value = ''")
    browser.ask("embed")
    assert len(browser.run(cells)) == 4
    browser.shot("compare")


def test_generate_sends_its_settings(browser: Browser, show: Show, model: FakeModel) -> None:
    show(model)
    browser.click("#tab-generate")
    for name, value in {"text": "once", "length": "7", "temperature": "0.5", "seed": "3"}.items():
        browser.type(f"#generate-{name}", value)
    assert "once+7+0.5+3+1" in browser.ask("generate")
    browser.shot("generate")


def test_hostile_text_labels_and_tokens_are_shown_literally(
    browser: Browser, show: Show, model: FakeModel, tagger: FakeModel
) -> None:
    model.name = HOSTILE
    show(model)
    assert browser.text("h1") == HOSTILE
    assert browser.text("aside").count(HOSTILE) == 2
    browser.click("#tab-fill")
    browser.type("#fill-text", f"{HOSTILE} [MASK]")
    assert browser.ask("fill").count(HOSTILE) >= 2
    browser.click("#panel-fill fieldset .bar:nth-child(2)")
    assert browser.text("#panel-fill .prose") == f"{HOSTILE} {HOSTILE}"
    assert HOSTILE in browser.ask("classify")
    for ability in ("reconstruct", "generate"):
        browser.click(f"#tab-{ability}")
        browser.type(f"#{ability}-text", HOSTILE.replace("a", "e"))
        assert HOSTILE.replace("a", "e") in browser.ask(ability)
    assert browser.run("return document.images.length") == 0
    show(tagger)
    browser.type("#tag-text", HOSTILE)
    assert browser.ask("tag").count(HOSTILE) >= 1
    marks = browser.run("return [...document.querySelectorAll('mark')].map(m => m.firstChild.data)")
    assert "".join(marks) == HOSTILE
    assert browser.run("return document.images.length") == 0
    assert browser.run("return document.title") != "owned"


def test_a_refusal_is_told_and_the_next_question_works(
    browser: Browser, show: Show, model: FakeModel
) -> None:
    show(model)
    browser.click("#tab-fill")
    browser.type("#fill-text", "x" * 101)
    browser.click("#panel-fill button.main")
    browser.wait("!document.querySelector('#panel-fill .problem').hidden")
    assert "101 tokens" in browser.text("#panel-fill .problem")
    # The browser itself notes an answer of 400 in its console.
    assert all("400 (Bad Request)" in said for said in browser.complaints())
    browser.type("#fill-text", "a [MASK]")
    browser.ask("fill")
    assert browser.run("return document.querySelector('#panel-fill .problem').hidden")


def test_everything_works_from_the_keyboard(browser: Browser, show: Show, model: FakeModel) -> None:
    show(model)
    assert browser.run("return document.getElementById('panel-classify').hidden") is False
    browser.keys("#tab-classify", ARROW_RIGHT)
    assert browser.run("return document.activeElement.id") == "tab-fill"
    browser.keys("#fill-text", CONTROL + ENTER)
    browser.wait("document.querySelectorAll('#panel-fill .choice').length")
    browser.run("document.querySelector('#panel-fill input[type=radio]').focus()")
    browser.keys("#panel-fill input[type=radio]", ARROW_DOWN)
    assert HOSTILE in browser.text("#panel-fill .prose")


def test_a_server_with_keys_asks_for_one(browser: Browser, show: Show, model: FakeModel) -> None:
    show(model, api_keys=(KEY,))
    assert browser.run("return document.getElementById('house').hidden")
    browser.type("#key", "not-this-one-at-all")
    browser.click("#door button")
    browser.wait("!document.getElementById('trouble').hidden")
    browser.type("#key", KEY)
    browser.click("#door button")
    browser.wait("!document.getElementById('house').hidden")
    assert "天" in browser.ask("fill")
    assert KEY not in browser.text("body")
    assert all("401 (Unauthorized)" in said for said in browser.complaints())


def test_a_narrow_window_needs_no_sideways_scrolling(browser: Browser, show: Show, model: FakeModel) -> None:
    show(model)
    browser.size(500, 900)
    browser.command("/goog/cdp/execute", device_metrics(width=360))
    for ability in ("fill", "classify", "embed", "generate"):
        browser.ask(ability)
        assert browser.run("return document.documentElement.scrollWidth") <= 360
    browser.click("#tab-fill")
    browser.shot("narrow")
    browser.command("/goog/cdp/execute", {"cmd": "Emulation.clearDeviceMetricsOverride", "params": {}})


def test_dark_follows_the_system(browser: Browser, show: Show, model: FakeModel) -> None:
    show(model)
    paper = "return getComputedStyle(document.body).backgroundColor"
    light = browser.run(paper)
    browser.command("/goog/cdp/execute", scheme("dark"))
    browser.ask("fill")
    browser.shot("dark")
    assert browser.run(paper) != light
    browser.command("/goog/cdp/execute", scheme("light"))


def device_metrics(*, width: int) -> dict[str, Any]:
    params = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    return {"cmd": "Emulation.setDeviceMetricsOverride", "params": params}


def scheme(name: str) -> dict[str, Any]:
    features = [{"name": "prefers-color-scheme", "value": name}]
    return {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}}
