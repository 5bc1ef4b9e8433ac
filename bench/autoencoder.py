"""Training a sentence autoencoder, beside TSDAE of sentence-transformers in the same shape.

make bench-setup; python bench/corpora.py DATA build/text; python bench/autoencoder.py

Both start from the same encoder, write with as many decoder layers, take the same texts in batches of like
length and do forward, backward, clipping and AdamW. The peer's words are cut into tokens and deleted before
the clock starts, and its decoder shares the encoder's weights, as it does by default; ours hides tokens
within the step, has a decoder of its own, and also guesses the hidden tokens from the encoder.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import numpy as np
from _bert import BUNDLE, HEADS, LAYERS, LENGTH, PEER, WIDTH, inputs, texts
from _race import Bench, Round, Side, bfloat16, main

TEXTS, ROWS, RATE = 256, 32, 1e-4
STEPS = TEXTS // ROWS
"""Of a round: each sees texts of all lengths."""
DELETED = 0.6


def ours(folder: Path) -> Round:
    """Our objective on our network."""
    import torch

    from autolect.core import recipe, registry
    from autolect.core.device import choose, hold_memory
    from autolect.core.recipe import TrainConfig
    from autolect.nn.model import Model, architecture_for
    from autolect.text.noise import rows_of
    from autolect.text.tokenizer import Tokenizer
    from autolect.train.optim import make_optimizer

    table = {
        "corpus": {"files": ["x"]},
        "encoder": {"shape": "bert", "width": WIDTH, "layers": LAYERS, "heads": HEADS},
        "decoder": {"shape": "bert", "layers": LAYERS, "heads": HEADS},
        "objective": {"kind": "autoencode"},
    }
    settings = recipe.from_table(table)
    hold_memory()
    tokenizer = Tokenizer.load(folder / BUNDLE)
    network = Model(architecture_for(settings, vocab_size=len(tokenizer))).train()
    objective = registry.load("objectives", "autoencode").build(settings.objective, vocab_size=len(tokenizer))
    optimizer = make_optimizer(network, TrainConfig(steps=1, rate=RATE))
    read = sorted((one.ids[: LENGTH - 2] for one in tokenizer.encode_batch(texts(folder))), key=len)
    groups = [read[start : start + ROWS] for start in range(0, len(read), ROWS)]
    draw, device = np.random.default_rng(0), choose()

    def loss(number: int) -> Any:
        group = groups[number % len(groups)]
        noisy = rows_of(group, None, 2 + max(map(len, group)))
        with device.computing():
            found = objective.loss(network, objective.corrupt(noisy, draw))
        return found.total / found.targets

    return _stepping(network, loss, optimizer, functools.partial(torch.nn.utils.clip_grad_norm_))


def theirs(folder: Path, *, narrow: bool) -> Round:
    """DenoisingAutoEncoderLoss on a SentenceTransformer."""
    import torch
    from sentence_transformers import SentenceTransformer, models
    from sentence_transformers.sentence_transformer.losses import DenoisingAutoEncoderLoss

    parts = models.Transformer(str(folder / PEER), max_seq_length=LENGTH)
    pooling = models.Pooling(parts.get_word_embedding_dimension(), pooling_mode="cls")
    network = SentenceTransformer(modules=[parts, pooling], device="cpu")
    goal = DenoisingAutoEncoderLoss(network, tie_encoder_decoder=True).train()
    optimizer = torch.optim.AdamW(goal.parameters(), lr=RATE, betas=(0.9, 0.98), fused=True)
    draw = np.random.default_rng(0)
    read = sorted(texts(folder), key=lambda text: len(network.tokenizer(text)["input_ids"]))
    groups = [read[start : start + ROWS] for start in range(0, len(read), ROWS)]
    features = [
        [network.preprocess([_thinned(text, draw) for text in group]), network.preprocess(group)]
        for group in groups
    ]

    def loss(number: int) -> Any:
        given = [dict(one) for one in features[number % len(features)]]
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            return goal(given, None)

    return _stepping(goal, loss, optimizer, functools.partial(torch.nn.utils.clip_grad_norm_))


def _thinned(text: str, draw: np.random.Generator) -> str:
    words = text.split()
    kept = [word for word in words if draw.random() > DELETED]
    return " ".join(kept or words[:1])


def _stepping(network: Any, loss_of: Any, optimizer: Any, clip: Any) -> Round:
    parameters = sum(value.numel() for value in network.parameters()) / 1e6
    place = 0

    def work() -> dict[str, Any]:
        nonlocal place
        for _ in range(STEPS):
            loss = loss_of(place)
            loss.backward()
            clip(network.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            place += 1
        return {"work": STEPS * ROWS, "M parameters": round(parameters, 2)}

    return work


BENCH = Bench(
    claim=f"Sentence autoencoders, {LAYERS} + {LAYERS} layers, width {WIDTH}: texts a second in training.",
    unit="texts",
    sides=[
        Side("autolect", ours=True, prepare=ours),
        *(
            Side(
                f"TSDAE {'bfloat16' if narrow else 'float32'}",
                ours=False,
                prepare=functools.partial(theirs, narrow=narrow),
            )
            for narrow in ((False, True) if bfloat16() else (False,))
        ),
    ],
    inputs=functools.partial(inputs, texts=TEXTS),
)

if __name__ == "__main__":
    sys.exit(main({"autoencoder": BENCH}))
