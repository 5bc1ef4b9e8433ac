"""GRU encoder: fewer weights than an LSTM of the same width."""

from __future__ import annotations

from typing import ClassVar, Literal

from autolect.nn.recurrent import Cell, RecurrentEncoder, RecurrentEncoderConfig


class GRUEncoderConfig(RecurrentEncoderConfig):
    """Size of the GRU encoder."""

    kind: Literal["gru"] = "gru"


class GRUEncoder(RecurrentEncoder):
    """Gated recurrent units (Cho 2014, arXiv:1406.1078)."""

    CELL: ClassVar[Cell] = "gru"


PLUGIN, CONFIG = GRUEncoder, GRUEncoderConfig
