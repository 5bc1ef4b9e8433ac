"""A text for a prompt, or of a label: product descriptions from keywords, replies, texts of a topic.

in   sports      out  The team won its third game in a row on Sunday.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn

from autolect.core import metrics
from autolect.core.device import Device
from autolect.nn.model import Model
from autolect.nn.writing import write
from autolect.tasks._common import Column
from autolect.tasks._writing import NEVER, Rows, Writing, WritingConfig
from autolect.text.labels.pairs import ReadPairs, read_pairs
from autolect.text.tokenizer import BOS, EOS

LONGEST = 128
"""Tokens of a text that is written to be measured."""


class GenerateConfig(WritingConfig):
    """A text for a prompt or of a label."""

    kind: Literal["generate"] = "generate"
    prompt_column: Column = None
    """Column of the prompts or labels, by name or by number from 1; empty: the first."""
    text_column: Column = None
    """Column of the texts to write; empty: the second."""
    temperature: float = Field(default=0.7, ge=0)
    """Of what is written to be measured; 0 takes the likeliest token each time."""
    top_p: float = Field(default=0.9, gt=0, le=1)
    """It is drawn among the likeliest tokens that have this probability together (Holtzman 2020)."""


class Generate(Writing):
    """Texts that are drawn, so that one prompt has many."""

    @staticmethod
    def read(path: Path, config: GenerateConfig) -> ReadPairs:
        """The pairs of a file."""
        return read_pairs(
            path,
            first=config.prompt_column,
            second=config.text_column,
            answered=False,
            encoding=config.encoding,
            keys=("task.prompt_column", "task.text_column"),
        )

    def answers(
        self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device
    ) -> list[str]:
        """A text for each prompt."""
        chance = {"temperature": self.config.temperature, "top_p": self.config.top_p}
        return self.write(network, model, head, rows, device, length=LONGEST, seed=0, **chance)

    def write(
        self,
        network: nn.Module,
        model: Model,
        head: nn.Module,
        rows: Rows,
        device: Device,
        *,
        length: int,
        seed: int,
        **chance: Any,
    ) -> list[str]:
        """A text of up to ``length`` tokens for each prompt; chance: see `autolect.nn.writing.write`.

        The same prompt in another place is given another text.
        """
        network.eval()
        pen = self.pen(model, head, device)
        found = []
        for place, source in enumerate(rows.sources):
            (ids,) = write(
                pen,
                begin=torch.tensor([BOS]),
                stop=EOS,
                length=length,
                memory=self.memory(model, [source], device),
                seed=seed + place,
                never=NEVER,
                **chance,
            )
            found.append(rows.reader.tokenizer.decode(ids))
        return found

    def measure(self, gold: Sequence[str], predicted: Sequence[str], *, seed: int) -> dict[str, Any]:
        """BLEU with its interval, chrF, and how many of all pairs of neighbouring words differ (distinct-2:
        Li 2016), here and in the gold texts.
        """
        return super().measure(gold, predicted, seed=seed) | {
            "distinct": metrics.distinct(predicted),
            "distinct_gold": metrics.distinct(gold),
        }


PLUGIN, CONFIG = Generate, GenerateConfig
