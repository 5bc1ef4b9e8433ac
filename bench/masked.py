"""Masked language modelling: steps of training beside transformers' BERT of the same shape.

make bench-setup; python bench/masked.py

Both take the same batches (32 texts of 128 tokens, 15 % hidden), do forward, backward, clipping and AdamW;
equal weights give equal losses (tests/nn/test_transformers.py). The peer runs at each of its settings that
the processor serves.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
from _race import Bench, Round, Side, bfloat16, main

ROWS, LENGTH, BATCHES, HIDDEN = 32, 128, 8, 0.15
STEPS = 2
"""Steps a round."""
SIZE = {"vocabulary": 16_384, "width": 256, "layers": 6, "heads": 4}
MASK, FIRST = 4, 5
RATE = 1e-4

Shape = Literal["modern", "bert"]


def inputs(folder: Path) -> None:
    """Batches of tokens, some hidden."""
    draw = np.random.default_rng(0)
    text = draw.integers(FIRST, SIZE["vocabulary"], (BATCHES, ROWS, LENGTH))
    hidden = draw.random(text.shape) < HIDDEN
    np.savez(
        folder / "batches.npz", tokens=np.where(hidden, MASK, text), targets=np.where(hidden, text, -100)
    )


def batches(folder: Path) -> list[dict[str, Any]]:
    """What `inputs` wrote, as tensors."""
    import torch

    found = np.load(folder / "batches.npz")
    return [
        {name: torch.from_numpy(found[name][number]) for name in ("tokens", "targets")}
        for number in range(BATCHES)
    ]


def ours(size: dict[str, int], *, shape: Shape) -> Any:
    """Our network."""
    from autolect.core import recipe
    from autolect.nn.model import Model, architecture_for

    encoder = {name: size[name] for name in ("width", "layers", "heads")}
    table = {
        "corpus": {"files": ["x"]},
        "encoder": {"shape": shape, "dropout": 0.1, **encoder},
        "decoder": {"kind": "none"},
        "objective": {"kind": "masked"},
    }
    return Model(architecture_for(recipe.from_table(table), vocab_size=size["vocabulary"]))


def our_loss(network: Any, batch: dict[str, Any]) -> Any:
    """Mean cross-entropy of the hidden tokens."""
    import torch

    from autolect.nn.losses import token_loss

    keep = torch.ones_like(batch["tokens"], dtype=torch.bool)
    total, count = token_loss(network, network.encode(batch["tokens"], keep), batch["targets"])
    return total / count


def theirs(size: dict[str, int]) -> Any:
    """Transformers' BERT."""
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=size["vocabulary"],
        hidden_size=size["width"],
        num_hidden_layers=size["layers"],
        num_attention_heads=size["heads"],
        intermediate_size=4 * size["width"],
        layer_norm_eps=1e-5,
    )
    return BertForMaskedLM(config)


def their_loss(network: Any, batch: dict[str, Any]) -> Any:
    """The same, by transformers."""
    return network(input_ids=batch["tokens"], labels=batch["targets"]).loss


def prepare_ours(folder: Path, *, shape: Shape) -> Round:
    """Our step, made of what the training loop is made of."""
    from autolect.core.device import choose, set_threads
    from autolect.core.recipe import TrainConfig
    from autolect.train.optim import make_optimizer

    set_threads()
    network = ours(SIZE, shape=shape)
    optimizer = make_optimizer(network, TrainConfig(steps=1, rate=RATE))
    return stepping(network, our_loss, optimizer, batches(folder), choose().computing)


def prepare_theirs(folder: Path, *, narrow: bool, compiled: bool) -> Round:
    """The peer's step, at its best flags: fused AdamW, SDPA, and what is asked for."""
    import torch

    torch.manual_seed(0)
    network = theirs(SIZE)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, betas=(0.9, 0.98), fused=True)
    called = torch.compile(network) if compiled else network
    computing = functools.partial(torch.autocast, "cpu", torch.bfloat16, enabled=narrow)
    loss = functools.partial(_called, called)
    return stepping(network, loss, optimizer, batches(folder), computing)


def _called(compiled: Any, network: Any, batch: dict[str, Any]) -> Any:
    del network
    return their_loss(compiled, batch)


def stepping(
    network: Any, loss_of: Any, optimizer: Any, given: list[dict[str, Any]], computing: Any
) -> Round:
    """Some steps of training."""
    import torch

    network.train()
    place = 0

    def work() -> dict[str, Any]:
        nonlocal place
        for _ in range(STEPS):
            with computing():
                loss = loss_of(network, given[place % len(given)])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            place += 1
        parameters = sum(value.numel() for value in network.parameters()) / 1e6
        return {"work": STEPS * ROWS * LENGTH, "loss": loss.item(), "M parameters": round(parameters, 2)}

    return work


def sides() -> list[Side]:
    """Ours, and the peer at each of its settings."""
    found = [
        Side("autolect", ours=True, prepare=functools.partial(prepare_ours, shape="bert")),
        Side("autolect, modern shape", ours=True, prepare=functools.partial(prepare_ours, shape="modern")),
    ]
    for narrow in (False, True) if bfloat16() else (False,):
        for compiled in (False, True):
            name = f"transformers {'bfloat16' if narrow else 'float32'}{' compiled' if compiled else ''}"
            prepare = functools.partial(prepare_theirs, narrow=narrow, compiled=compiled)
            found.append(Side(name, ours=False, prepare=prepare))
    return found


def bench() -> Bench:
    """The question."""
    without = (
        ""
        if bfloat16()
        else " This processor has no bfloat16 products; the peer's modes with it are left out."
    )
    return Bench(
        claim=f"Training a masked language model.{without}", unit="tokens", sides=sides(), inputs=inputs
    )


if __name__ == "__main__":
    sys.exit(main({"masked": bench()}))
