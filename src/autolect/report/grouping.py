"""What `autolect cluster` found, as chapters of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autolect.report import plots
from autolect.report.blocks import Chapter, Figure, Headline, Note, Table

NO_GROUPS = "No groups: nowhere do these texts stand closer together than elsewhere. --count 8 makes eight."


def headline(groups: Sequence[Any], num_texts: int) -> tuple[Headline, ...]:
    """How many groups there are, and how many texts are in none."""
    inside = sum(group.size for group in groups)
    return (
        Headline("Groups", f"{len(groups):,}", "largest first"),
        Headline("Texts", f"{num_texts:,}", f"{num_texts - inside:,} in no group"),
    )


def chapters(
    groups: Sequence[Any], points: Sequence[Sequence[float]], places: Sequence[int]
) -> list[Chapter]:
    """The map, and a table of the groups."""
    names = {group.number: ", ".join(group.keywords[:2]) for group in groups}
    rows = tuple(
        (str(group.number), f"{group.size:,}", ", ".join(group.keywords), group.examples[0][:200])
        for group in groups
    )
    figure = Figure(
        plots.landscape(points, places, names),
        "A dot for each text; texts that the model sees as alike stand near each other.",
        "Map of the texts",
    )
    table = Table(("group", "texts", "words that tell it apart", "the text nearest to its middle"), rows)
    found = table if groups else Note(NO_GROUPS, "warn")
    return [Chapter("Groups", "What the texts are about, as the model sees them.", (figure, found))]
