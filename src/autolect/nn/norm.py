"""Normalisation, by name."""

from __future__ import annotations

from typing import Literal

from torch import nn

NormKind = Literal["rms", "layer"]


def make_norm(kind: NormKind, width: int) -> nn.Module:
    """RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467) or LayerNorm (Ba 2016) over the last axis."""
    return nn.RMSNorm(width, eps=1e-6) if kind == "rms" else nn.LayerNorm(width)
