"""The number formats that a user may ask for, named without loading torch."""

from __future__ import annotations

from typing import Literal

DtypeName = Literal["auto", "float32", "bfloat16"]
"""auto: bfloat16 where the device multiplies it faster."""
