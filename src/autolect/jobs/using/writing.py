"""A text's beginning, or its latent -> text."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autolect.core.device import Device
from autolect.core.errors import UserError
from autolect.nn.model import Model
from autolect.nn.writing import write
from autolect.text.reading import Reader
from autolect.text.tokenizer import BOS, EOS, NUM_SPECIAL

_SHOWN_STYLES = 20


class Writer:
    """Writes with a network's decoder. room: tokens that it reads and writes at most. where: its folder."""

    def __init__(self, model: Model, reader: Reader, device: Device, *, room: int, where: str) -> None:
        self._model, self._reader, self._device = model, reader, device
        self._room, self._where = room, where

    def again(self, texts: Sequence[str], memories: Sequence[Tensor]) -> list[str]:
        """Each text, written again from its memory (1,S,D)."""
        found = []
        for text, memory in zip(texts, memories, strict=True):
            room = min(self._room, 2 * len(self._reader.read([text])[0].ids) + 8)
            found.append(self._reader.tokenizer.decode(self._write([BOS], room, memory)[0]))
        return found

    def decoded(self, latents: NDArray[np.float32], *, length: int | None) -> list[str]:
        """Latents (N,K) -> texts of at most ``length`` tokens."""
        memory = self._model.memory(torch.from_numpy(latents).to(self._device.place))
        written = self._write([BOS], length or self._room, memory)
        return [self._reader.tokenizer.decode(ids) for ids in written]

    def continued(
        self, text: str, memory: Tensor | None, *, length: int, style: str | None, **chance: Any
    ) -> str:
        """A text and up to ``length`` tokens more; chance: see `write`. UserError for an unknown style."""
        first = BOS if style is None else self._style(style)
        ids = self._reader.read([text])[0].ids[: max(0, self._room - length)].tolist()
        new = self._write([first, *ids], length, memory, **chance)[0]
        return self._reader.tokenizer.decode([*ids, *new])

    def _write(
        self, begin: Sequence[int], length: int, memory: Tensor | None, **chance: Any
    ) -> list[list[int]]:
        never = torch.tensor([special for special in range(NUM_SPECIAL) if special != EOS])
        return write(
            self._model,
            begin=torch.tensor(begin),
            stop=EOS,
            length=length,
            memory=memory,
            never=never,
            **chance,
        )

    def _style(self, style: str) -> int:
        """The id of a control token; UserError for a style that was never seen."""
        architecture = self._model.architecture
        styles = architecture.styles
        if style in styles:
            return architecture.vocab_size + styles.index(style)
        if not styles:
            raise UserError(
                f"no style {style!r}: it was trained without styles",
                where=self._where,
                fix="set corpus.style to a column, and pretrain",
            )
        near = difflib.get_close_matches(style, styles, n=1)
        known = f"it knows {', '.join(styles[:_SHOWN_STYLES])}"
        more = ", ..." if len(styles) > _SHOWN_STYLES else ""
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UserError(
            f"no text of style {style!r} was seen in training",
            where=self._where,
            fix=f"{hint}{known}{more}",
        )
