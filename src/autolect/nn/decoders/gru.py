"""GRU decoder: left to right, with attention over a memory."""

from __future__ import annotations

from typing import ClassVar, Literal

from autolect.nn.recurrent import Cell, RecurrentDecoder, RecurrentDecoderConfig


class GRUDecoderConfig(RecurrentDecoderConfig):
    """Size of the GRU decoder; its width is the encoder's."""

    kind: Literal["gru"] = "gru"


class GRUDecoder(RecurrentDecoder):
    """Gated recurrent units (Cho 2014, arXiv:1406.1078)."""

    CELL: ClassVar[Cell] = "gru"


PLUGIN, CONFIG = GRUDecoder, GRUDecoderConfig
