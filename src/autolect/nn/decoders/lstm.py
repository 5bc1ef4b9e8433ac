"""LSTM decoder: left to right, with attention over a memory."""

from __future__ import annotations

from typing import ClassVar, Literal

from autolect.nn.recurrent import Cell, RecurrentDecoder, RecurrentDecoderConfig


class LSTMDecoderConfig(RecurrentDecoderConfig):
    """Size of the LSTM decoder; its width is the encoder's."""

    kind: Literal["lstm"] = "lstm"


class LSTMDecoder(RecurrentDecoder):
    """Long short-term memory (Hochreiter & Schmidhuber 1997)."""

    CELL: ClassVar[Cell] = "lstm"


PLUGIN, CONFIG = LSTMDecoder, LSTMDecoderConfig
