"""Texts -> latents, and what a decoder attends to when it writes a text again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autolect.core.device import Device
from autolect.nn.model import Model
from autolect.text.noise import padded
from autolect.text.reading import Reader
from autolect.text.tokenizer import PAD

_ROWS = 64
"""Texts that are encoded at once."""


class Latents:
    """Encodes texts. room: tokens that the network reads of each at most."""

    def __init__(self, model: Model, reader: Reader, device: Device, *, room: int) -> None:
        self._model, self._reader, self._device, self._room = model, reader, device, room

    def of(self, texts: Sequence[str]) -> Tensor:
        """Latents (N,K) on the processor, without noise."""
        coded, places = self._coded(texts, self._model.latent)
        return torch.cat([row.float().cpu() for row in coded])[places] if coded else torch.zeros((0, 0))

    def noisy(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Latents (N,K) with the noise of a variational bottleneck, and what each costs in nats (N,)."""
        coded, places = self._coded(texts, self._model.coded)
        return (
            torch.cat([one.latent.float().cpu() for one in coded])[places].numpy(),
            torch.cat([one.nats.float().cpu() for one in coded])[places].numpy(),
        )

    @torch.inference_mode()
    def memory(self, text: str) -> Tensor:
        """What the decoder attends to when it writes a text again (1,S,D)."""
        if self._model.bottleneck is not None:
            return self._model.memory(self.of([text]).to(self._device.place))
        ids = self._reader.read([text])[0].ids[: self._room]
        tokens = torch.from_numpy(padded([ids], len(ids) + 2)).to(self._device.place)
        return self._model.encode(tokens, torch.ones_like(tokens, dtype=torch.bool))

    @torch.inference_mode()
    def _coded(
        self, texts: Sequence[str], code: Callable[[Tensor, Tensor], Any]
    ) -> tuple[list[Any], NDArray[np.int64]]:
        """What ``code`` makes of the states and the keep of some texts at a time, short ones first.

        Gives it with the place of each text in it.
        """
        sequences = [one.ids[: self._room] for one in self._reader.read(texts)]
        order = np.argsort([len(ids) for ids in sequences], kind="stable")
        found = []
        for start in range(0, len(order), _ROWS):
            some = [sequences[place] for place in order[start : start + _ROWS]]
            ids = torch.from_numpy(padded(some, 2 + max(map(len, some)))).to(self._device.place)
            with self._device.computing():
                states = self._model.encode(ids, ids != PAD).float()
            found.append(code(states, ids != PAD))
        return found, np.argsort(order)
