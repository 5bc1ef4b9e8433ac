"""LSTM encoder: the quick one on a CPU, with a bfloat16 kernel."""

from __future__ import annotations

from typing import ClassVar, Literal

from autolect.nn.recurrent import Cell, RecurrentEncoder, RecurrentEncoderConfig


class LSTMEncoderConfig(RecurrentEncoderConfig):
    """Size of the LSTM encoder."""

    kind: Literal["lstm"] = "lstm"


class LSTMEncoder(RecurrentEncoder):
    """Long short-term memory (Hochreiter & Schmidhuber 1997)."""

    CELL: ClassVar[Cell] = "lstm"


PLUGIN, CONFIG = LSTMEncoder, LSTMEncoderConfig
