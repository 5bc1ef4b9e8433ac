"""A text in another language, or rewritten in any other way that pairs of texts show.

in   good morning      out  早上好
"""

from __future__ import annotations

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
from autolect.text.pairs import ReadPairs, read_pairs
from autolect.text.tokenizer import BOS, EOS

LONGER, MORE = 2, 10
"""A translation is at most so many times as long as its source, and so many tokens more."""


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
        )

    def answers(
        self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device
    ) -> list[str]:
        """A translation of each source."""
        network.eval()
        pen = self.pen(model, head, device)
        found = []
        for source in rows.sources:
            ids = search(
                pen,
                begin=torch.tensor([BOS]),
                stop=EOS,
                length=LONGER * len(source) + MORE,
                memory=self.memory(model, source, device),
                beams=self.config.beams,
                never=NEVER,
            )
            found.append(rows.reader.tokenizer.decode(ids))
        return found


PLUGIN, CONFIG = Translate, TranslateConfig
