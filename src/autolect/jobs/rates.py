"""latents -> rate and quality: how many bits a text's latent takes, and how much of the text comes back."""

from __future__ import annotations

import lzma
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autolect.jobs.using.use import Lect

TEXTS = 32
"""Texts that are coded and written again."""
LONGEST = 64
"""Tokens of such a text at most."""
ROUNDED = (8, 4, 2)
"""Bits a number that a latent of real numbers is rounded to, besides its own 32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One way to write latents down: bits a text, and what comes back of the texts."""

    code: str
    bits: float
    """Bits a text."""
    bits_a_character: float
    exact: float
    """Share of the texts that come back as they were."""
    chrf: float
    """chrF2 of what comes back, 0 to 100 (Popovic 2015, by sacrebleu)."""


def rates(lect: Lect, texts: Sequence[str], others: Sequence[str]) -> dict[str, Any]:
    """Rate and quality over some of the texts, as JSON values.

    others: texts that only the range of rounded numbers is taken from, as a receiver would know it. Beside
    them stands what xz takes for the same texts packed together.
    """
    chosen = _some(lect, texts)
    if not chosen or "decode" not in lect.abilities:
        return {}
    clean = [lect.reader.cleaner.clean(text).text for text in chosen]
    characters = sum(map(len, clean)) / len(clean)
    found = []
    for code, bits, latents in _codes(lect, chosen, others):
        again = lect.decode(latents, length=2 * LONGEST)
        found.append(
            Rate(
                code=code,
                bits=bits,
                bits_a_character=bits / characters,
                exact=sum(one == other for one, other in zip(clean, again, strict=True)) / len(clean),
                chrf=chrf(again, clean),
            )
        )
    packed = 8 * len(lzma.compress("\n".join(clean).encode(), preset=9 | lzma.PRESET_EXTREME)) / len(clean)
    return {
        "texts": len(clean),
        "rows": [asdict(one) for one in found],
        "xz": packed,
        "characters": characters,
    }


def chrf(found: Sequence[str], wanted: Sequence[str]) -> float:
    """chrF2 of a corpus, 0 to 100."""
    from sacrebleu.metrics.chrf import CHRF

    return float(CHRF().corpus_score(list(found), [list(wanted)]).score)


def _some(lect: Lect, texts: Sequence[str]) -> list[str]:
    """Texts spread evenly over those that are short enough, shortest first."""
    sizes = lect.count_tokens(texts)
    short = sorted((size, text) for size, text in zip(sizes, texts, strict=True) if 0 < size <= LONGEST)
    step = max(1, len(short) // TEXTS)
    return [text for _, text in short[::step]][:TEXTS]


def _codes(
    lect: Lect, texts: Sequence[str], others: Sequence[str]
) -> list[tuple[str, float, NDArray[np.float32]]]:
    """(name, bits a text, latents as a receiver would have them)."""
    bottleneck = lect.model.bottleneck
    assert bottleneck is not None
    latents = lect.encode(texts)
    if bottleneck.code == "quantised":
        bits = bottleneck.bits()
        assert bits is not None
        return [(f"{bottleneck.size} numbers of {bottleneck.config.levels} levels", bits, latents)]
    if bottleneck.code == "variational":
        torch.manual_seed(0)
        drawn, nats = lect.encode_noisy(texts)
        return [("variational, by its KL divergence", float(nats.mean()) / math.log(2), drawn)]
    size = latents.shape[1]
    seen = lect.encode(others or texts)
    low, high = seen.min(axis=0), seen.max(axis=0)
    found = [(f"{size} numbers of 32 bits", 32.0 * size, latents)]
    for bits in ROUNDED:
        step = np.maximum((high - low) / (2**bits - 1), 1e-12)
        rounded = low + np.clip(np.rint((latents - low) / step), 0, 2**bits - 1) * step
        found.append((f"{size} numbers of {bits} bits", float(bits * size), rounded.astype(np.float32)))
    return found
