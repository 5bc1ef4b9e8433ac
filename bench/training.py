"""Steps of training beside peers of the same shape: BERT and GPT-2 of transformers, a plain PyTorch LSTM.

make bench-setup; python bench/training.py [masked] [causal] [lstm]
make bench-gpu                                                                on a machine with CUDA

All sides of a bench take the same batches and do forward, backward, clipping and AdamW. For BERT and GPT-2,
equal weights give equal losses (tests/nn/test_transformers.py). Peers run at each setting that the processor
serves.
"""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _race import Bench, Round, Side, bfloat16, cuda, main

BATCHES, HIDDEN = 8, 0.15
"""Batches that are made, share of tokens that is hidden."""
PAD, MASK, FIRST, NO_TARGET = 0, 4, 5, -100
RATE = 1e-4

Batch = dict[str, Any]


Peer = Callable[["Question"], tuple[Any, Callable[[Any, Batch], Any]]]
"""Gives a peer's network and its mean loss over a batch."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One kind of network, ours and the peers'."""

    claim: str
    rows: int
    length: int
    vocabulary: int
    width: int
    layers: int
    masked: bool
    heads: int = 4
    steps: int = 6
    """Steps a round."""
    encoders: dict[str, dict[str, Any]]
    """Ours by name: settings of the encoder; the first one is measured against the peers."""
    peers: dict[str, Peer]

    def inputs(self, folder: Path) -> None:
        """Batches of tokens with what is to be predicted."""
        draw = np.random.default_rng(0)
        text = draw.integers(FIRST, self.vocabulary, (BATCHES, self.rows, self.length))
        hidden = draw.random(text.shape) < HIDDEN if self.masked else np.zeros(text.shape, bool)
        following = np.concatenate([text[:, :, 1:], np.full_like(text[:, :, :1], NO_TARGET)], axis=2)
        targets = np.where(hidden, text, NO_TARGET) if self.masked else following
        np.savez(folder / "batches.npz", tokens=np.where(hidden, MASK, text), targets=targets)

    def ours(self, folder: Path, *, encoder: dict[str, Any]) -> Round:
        """Our step, made of what the training loop is made of."""
        import torch

        from autolect.core import recipe, registry
        from autolect.core.device import choose, compile_parts, hold_memory, set_threads
        from autolect.core.recipe import TrainConfig
        from autolect.nn.model import Model, architecture_for
        from autolect.train.optim import make_optimizer

        set_threads()
        hold_memory()
        device = choose()
        kind = "masked" if self.masked else "causal"
        table = {
            "corpus": {"files": ["x"]},
            "encoder": {"width": self.width, "layers": self.layers, **self._heads(encoder), **encoder},
            "decoder": {"kind": "none"},
            "objective": {"kind": kind},
        }
        settings = recipe.from_table(table)
        network = Model(architecture_for(settings, vocab_size=self.vocabulary))
        plugin = registry.load("objectives", kind)
        objective = plugin.build(settings.objective, vocab_size=self.vocabulary)

        def loss(network: Any, batch: Batch) -> Any:
            keep = torch.ones_like(batch["tokens"], dtype=torch.bool)
            found = objective.loss(network, {**batch, "keep": keep})
            return found.total / found.targets

        network.to(device.place)
        compile_parts(network, device)
        optimizer = make_optimizer(network, TrainConfig(steps=1, rate=RATE))
        return self._stepping(network, loss, optimizer, folder, device.computing)

    def theirs(self, folder: Path, *, peer: Peer, narrow: bool, compiled: bool) -> Round:
        """A peer's step, at its best flags: fused AdamW, SDPA, and what is asked for."""
        import torch

        torch.manual_seed(0)
        place = "cuda" if torch.cuda.is_available() else "cpu"
        network, loss_of = peer(self)
        network.to(place)
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, betas=(0.9, 0.98), fused=True)
        called = torch.compile(network) if compiled else network

        def loss(_network: Any, batch: Batch) -> Any:
            return loss_of(called, batch)

        computing = functools.partial(torch.autocast, place, torch.bfloat16, enabled=narrow)
        return self._stepping(network, loss, optimizer, folder, computing)

    def _heads(self, encoder: dict[str, Any]) -> dict[str, Any]:
        return {} if encoder.get("kind", "transformer") != "transformer" else {"heads": self.heads}

    def _stepping(self, network: Any, loss_of: Any, optimizer: Any, folder: Path, computing: Any) -> Round:
        import torch

        made = np.load(folder / "batches.npz")
        where = next(network.parameters()).device
        given = [
            {name: torch.from_numpy(made[name][number]).to(where) for name in ("tokens", "targets")}
            for number in range(BATCHES)
        ]
        network.train()
        parameters = sum(value.numel() for value in network.parameters()) / 1e6
        place = 0

        def work() -> dict[str, Any]:
            nonlocal place
            for _ in range(self.steps):
                with computing():
                    loss = loss_of(network, given[place % len(given)])
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                place += 1
            found = {
                "work": self.steps * self.rows * self.length,
                "loss": loss.item(),
                "M parameters": round(parameters, 2),
            }
            if cuda():
                found["T operations"] = found["work"] * self.operations() / 1e12
            return found

        return work

    def operations(self) -> float:
        """A token's matrix products, there and back: weights, attention, and scores at targets."""
        weights = 12 * self.layers * self.width**2
        scores = self.vocabulary * self.width * (HIDDEN if self.masked else 1)
        return 6 * (weights + scores) + 12 * self.layers * self.width * self.length

    def bench(self, *, compiles: bool) -> Bench:
        """Ours, and the peer at each of its settings."""
        sides = [
            Side(f"autolect {name}", ours=True, prepare=functools.partial(self.ours, encoder=encoder))
            for name, encoder in self.encoders.items()
        ]
        formats = (True,) if cuda() else (False, True) if bfloat16() else (False,)
        modes = (True,) if cuda() else (False, True) if compiles else (False,)
        for (title, peer), narrow, compiled in itertools.product(self.peers.items(), formats, modes):
            name = f"{title} {'bfloat16' if narrow else 'float32'}{' compiled' if compiled else ''}"
            prepare = functools.partial(self.theirs, peer=peer, narrow=narrow, compiled=compiled)
            sides.append(Side(name, ours=False, prepare=prepare))
        without = "" if bfloat16() else " No bfloat16 products here: the peer's modes with them are left out."
        without += " On a GPU the peers run compiled and in bfloat16 alone." if cuda() else ""
        return Bench(claim=f"{self.claim}{without}", unit="tokens", sides=sides, inputs=self.inputs)


def bert(question: Question) -> tuple[Any, Any]:
    """BertForMaskedLM of transformers."""
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=question.vocabulary,
        hidden_size=question.width,
        num_hidden_layers=question.layers,
        num_attention_heads=question.heads,
        intermediate_size=4 * question.width,
        layer_norm_eps=1e-5,
    )
    return BertForMaskedLM(config), lambda n, b: n(input_ids=b["tokens"], labels=b["targets"]).loss


def modernbert(question: Question) -> tuple[Any, Any]:
    """ModernBertForMaskedLM of transformers at the size of our modern shape, with scores at targets alone."""
    from transformers import ModernBertConfig, ModernBertForMaskedLM

    config = ModernBertConfig(
        vocab_size=question.vocabulary,
        hidden_size=question.width,
        intermediate_size=-(-8 * question.width // 3 // 16) * 16,
        num_hidden_layers=question.layers,
        num_attention_heads=question.heads,
        global_attn_every_n_layers=1,
        attention_dropout=0.1,
        mlp_dropout=0.1,
        sparse_prediction=True,
        pad_token_id=PAD,
    )
    return ModernBertForMaskedLM(config), lambda n, b: n(input_ids=b["tokens"], labels=b["targets"]).loss


def gpt2(question: Question) -> tuple[Any, Any]:
    """GPT2LMHeadModel of transformers, which shifts the labels itself."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=question.vocabulary,
        n_embd=question.width,
        n_layer=question.layers,
        n_head=question.heads,
        n_positions=1024,
        use_cache=False,
    )
    return GPT2LMHeadModel(config), lambda n, b: n(input_ids=b["tokens"], labels=b["tokens"]).loss


def plain_lstm(question: Question) -> tuple[Any, Any]:
    """Embedding, LSTM and tied output in plain PyTorch, as its word-level example has them."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(question.vocabulary, question.width)
            self.lstm = nn.LSTM(
                question.width, question.width, question.layers, batch_first=True, dropout=0.1
            )
            self.output = nn.Linear(question.width, question.vocabulary)
            self.output.weight = self.embedding.weight

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.output(self.lstm(self.embedding(tokens))[0])
            return scores

    def loss(network: Any, batch: Batch) -> Any:
        return functional.cross_entropy(network(batch["tokens"]).flatten(0, 1), batch["targets"].flatten())

    return Network(), loss


SMALL: dict[str, Any] = {"width": 256, "vocabulary": 16_384}
LARGE: dict[str, Any] = {
    "width": 768,
    "vocabulary": 16_384,
    "layers": 12,
    "heads": 12,
    "rows": 64,
    "length": 512,
}
"""For a GPU."""
LARGE |= {"steps": 8}
QUESTIONS = {
    "masked": Question(
        claim="Training a masked language model beside transformers' BertForMaskedLM.",
        rows=32,
        length=128,
        layers=6,
        masked=True,
        encoders={"bert": {"shape": "bert"}, "modern": {"shape": "modern"}},
        peers={"BertForMaskedLM": bert},
        **SMALL,
    ),
    "causal": Question(
        claim="Training a causal language model beside transformers' GPT2LMHeadModel.",
        rows=32,
        length=128,
        layers=6,
        masked=False,
        encoders={"gpt2": {"shape": "gpt2"}, "modern": {"shape": "modern"}},
        peers={"GPT2LMHeadModel": gpt2},
        **SMALL,
    ),
    "lstm": Question(
        claim="Training an LSTM language model beside plain PyTorch.",
        rows=32,
        length=64,
        layers=2,
        masked=False,
        encoders={"lstm": {"kind": "lstm"}},
        peers={"PyTorch": plain_lstm},
        **SMALL,
    ),
}
QUESTIONS_GPU = {
    "masked-768": Question(
        claim="Training a masked language model of BERT-base's shape beside transformers' BertForMaskedLM.",
        masked=True,
        encoders={"bert": {"shape": "bert"}, "modern": {"shape": "modern"}},
        peers={"BertForMaskedLM": bert, "ModernBertForMaskedLM": modernbert},
        **LARGE,
    ),
    "causal-768": Question(
        claim="Training a causal language model of GPT-2's shape beside transformers' GPT2LMHeadModel.",
        masked=False,
        encoders={"gpt2": {"shape": "gpt2"}, "modern": {"shape": "modern"}},
        peers={"GPT2LMHeadModel": gpt2},
        **LARGE,
    ),
}

if __name__ == "__main__":
    QUESTIONS |= QUESTIONS_GPU if cuda() else {}
    sys.exit(main({name: one.bench(compiles=name != "lstm") for name, one in QUESTIONS.items()}))
