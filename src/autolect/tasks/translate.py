"""A text in another language, or rewritten in any other way that pairs of texts show.

in   good morning      out  早上好
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from torch import nn

from autolect.core.device import Device
from autolect.nn.model import Model
from autolect.nn.writing import search
from autolect.tasks._common import Column
from autolect.tasks._writing import NEVER, Rows, Writing, WritingConfig
from autolect.text.labels.pairs import ReadPairs, read_pairs
from autolect.text.tokenizer import BOS, EOS

LONGER, MORE = 2, 10
"""A translation is at most so many times as long as its source, and so many tokens more."""
TOGETHER = 64
"""Sources of one length that are translated at once."""


class TranslateConfig(WritingConfig):
    """From one text to another."""

    kind: Literal["translate"] = "translate"
    source_column: Column = None
    """Column of the texts to translate, by name or by number from 1; empty: the first."""
    target_column: Column = None
    """Column of their translations; empty: the second."""
    beams: int = Field(default=4, ge=1, le=16)
    """Translations that are followed side by side; 1 takes the likeliest token each time."""


class Translate(Writing):
    """The likeliest text that beams find."""

    @staticmethod
    def read(path: Path, config: TranslateConfig) -> ReadPairs:
        """The pairs of a file."""
        return read_pairs(
            path,
            first=config.source_column,
            second=config.target_column,
            answered=False,
            encoding=config.encoding,
            keys=("task.source_column", "task.target_column"),
        )

    def answers(
        self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device
    ) -> list[str]:
        """A translation of each source."""
        network.eval()
        pen = self.pen(model, head, device)
        found = [""] * len(rows.sources)
        sizes = [len(source) for source in rows.sources]
        order = sorted(range(len(sizes)), key=sizes.__getitem__)
        for size, alike in itertools.groupby(order, key=sizes.__getitem__):
            places = list(alike)
            for start in range(0, len(places), TOGETHER):
                some = places[start : start + TOGETHER]
                texts = search(
                    pen,
                    begin=torch.tensor([BOS]),
                    stop=EOS,
                    length=LONGER * size + MORE,
                    memory=self.memory(model, [rows.sources[place] for place in some], device),
                    beams=self.config.beams,
                    never=NEVER,
                )
                for place, ids in zip(some, texts, strict=True):
                    found[place] = rows.reader.tokenizer.decode(ids)
        return found


PLUGIN, CONFIG = Translate, TranslateConfig
