"""Normalisation, by name."""

from __future__ import annotations

from typing import Literal

from torch import nn

from autolect.nn.kernels import RMSNorm

NormKind = Literal["rms", "layer"]


def make_norm(kind: NormKind, width: int) -> nn.Module:
    """RMSNorm or LayerNorm (Ba 2016) over the last axis."""
    return RMSNorm(width, eps=1e-6) if kind == "rms" else nn.LayerNorm(width)
