"""What tasks that write share: a decoder over the encoder's states, learned from pairs of texts.

in   [BOS] good morning [EOS]      to the encoder
in   [BOS] 早上 好                   to the decoder, which attends to the encoder's states
out   早上  好 [EOS]                 from the decoder, at every token
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from autolect.core import metrics, registry
from autolect.core.device import Device
from autolect.core.goal import Loss, Score, Tensors
from autolect.core.intervals import Tally
from autolect.nn.losses import NO_TARGET, tensors, token_loss
from autolect.nn.model import Architecture, Model
from autolect.nn.writing import Pen
from autolect.tasks._common import DataConfig, hidden, over
from autolect.text.labels.pairs import PairExample
from autolect.text.language import guess
from autolect.text.noise import padded
from autolect.text.reading import Reader
from autolect.text.tokenizer import BOS, EOS, NUM_SPECIAL, PAD

GUESSED_FROM = 200
"""Texts that the guess of the target's language looks at."""


class WritingConfig(DataConfig):
    """From one text to another."""

    decoder: str = "transformer"
    """Kind of the decoder: transformer, lstm, gru."""
    layers: int = Field(default=3, ge=1)
    """Of the decoder. A pretrained one is taken over where it has as many and attends to all states."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Inside the decoder."""
    hide: float = Field(default=0.1, ge=0, lt=1)
    """Share of the tokens of source and target that the network sees as [MASK] in training."""
    smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of each target that is spread over the vocabulary in training."""
    refit: bool = False
    """After all choices, learn once more from train and valid together, in as much time again; not where no
    step was better on valid than the start."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Sources and targets as token ids."""

    sources: list[NDArray[np.int32]]
    targets: list[NDArray[np.int32]]
    places: list[str]
    num_cut: int
    reader: Reader

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of the longer side of each pair, specials counted."""
        sizes = [max(len(a), len(b)) + 2 for a, b in zip(self.sources, self.targets, strict=True)]
        return np.array(sizes, dtype=np.int64)

    def where(self, row: int) -> str:
        """File and line of a row."""
        return self.places[row]


class Head(nn.Module):
    """A decoder that attends to the encoder's states."""

    def __init__(self, architecture: Architecture, config: WritingConfig) -> None:
        super().__init__()
        plugin = registry.load("decoders", config.decoder)
        wanted: dict[str, Any] = {"layers": config.layers, "dropout": config.dropout}
        wanted |= {name: getattr(architecture.encoder, name, None) for name in ("heads", "shape")}
        known = {
            name: value
            for name, value in wanted.items()
            if name in plugin.config.model_fields and value is not None
        }
        self.decoder = plugin.build(plugin.config(**known), width=architecture.width, memory=True)


class Writing:
    """Encoder and decoder with attention between them (Vaswani 2017), the encoder pretrained."""

    BASELINES: ClassVar[tuple[str, ...]] = ("nearest_pair",)
    SETTLED: ClassVar[tuple[str, ...]] = ()
    SEEN_ON_GPU: ClassVar[bool] = False
    """Whether it was seen to learn on a GPU what it learns on a processor (docs/performance.md)."""
    SPACE: ClassVar[dict[str, Any]] = {
        "finetune.rate": [3e-4, 3e-3, "log"],
        "task.dropout": [0.0, 0.3],
        "task.hide": [0.0, 0.2],
    }

    def __init__(self, config: Any, *, labels: tuple[str, ...]) -> None:
        self.config, self.labels = config, labels

    @staticmethod
    def find_labels(examples: Sequence[PairExample]) -> tuple[str, ...]:
        """There are none."""
        del examples
        return ()

    @staticmethod
    def unlabelled(texts: Sequence[str]) -> list[PairExample]:
        """Texts to start from."""
        return [PairExample(first=text, second="", where="") for text in texts]

    @property
    def measured(self) -> str:
        """What the score is called."""
        return "BLEU"

    def head(self, architecture: Architecture) -> nn.Module:
        """What is put on the encoder."""
        return Head(architecture, self.config)

    def begin(self, model: Model, head: nn.Module, rows: Rows, device: Device) -> None:
        """Start the decoder from the pretrained one, or the encoder's layers (Rothe 2020), where they fit."""
        del rows, device
        assert isinstance(head, Head)
        mine = head.decoder.state_dict()
        written = model.decoder if model.architecture.states and model.decoder is not None else model.encoder
        theirs = written.state_dict()
        fitting = {
            name: value for name, value in theirs.items() if name in mine and value.shape == mine[name].shape
        }
        head.decoder.load_state_dict(fitting, strict=False)

    def settle(self, network: nn.Module, model: Model, head: nn.Module, rows: Rows, device: Device) -> None:
        """Nothing is chosen after training."""

    def rows(self, examples: Sequence[PairExample], reader: Reader, *, length: int) -> Rows:
        """Read examples; of a text longer than ``length`` tokens the beginning is used."""
        read = [one.ids for one in reader.read([t for one in examples for t in (one.first, one.second)])]
        return Rows(
            sources=[ids[: length - 2] for ids in read[::2]],
            targets=[ids[: length - 2] for ids in read[1::2]],
            places=[example.where for example in examples],
            num_cut=sum(max(map(len, ids)) > length - 2 for ids in zip(read[::2], read[1::2], strict=True)),
            reader=reader,
        )

    def collate(
        self, rows: Rows, chosen: NDArray[np.int64], length: int, draw: np.random.Generator | None
    ) -> Tensors:
        """tokens, keep (B,S); inputs, inputs_keep, following (B,T); with ``draw`` some tokens are hidden."""
        ids = padded([rows.sources[row] for row in chosen], length)
        targets = padded([rows.targets[row] for row in chosen], length)
        inputs, following = targets[:, :-1], targets[:, 1:]
        tokens, seen = ids, inputs
        if draw is not None:
            tokens, seen = hidden(ids, self.config.hide, draw), hidden(inputs, self.config.hide, draw)
        return tensors(
            tokens=tokens,
            keep=ids != PAD,
            inputs=np.ascontiguousarray(seen),
            inputs_keep=inputs != PAD,
            following=np.where(following == PAD, NO_TARGET, following),
        )

    def loss(self, model: Model, head: nn.Module, batch: Tensors) -> Loss:
        """Cross-entropy of every token of the target."""
        states = self._states(model, head, batch)
        return Loss(*token_loss(model, states, batch["following"], smoothing=self.config.smoothing))

    def judge(
        self,
        network: nn.Module,
        model: Model,
        head: nn.Module,
        rows: Rows,
        examples: Sequence[PairExample],
        device: Device,
    ) -> Score:
        """The loss a token on these rows, for a look is to be quick."""
        del examples

        def answer(batch: Tensors) -> list[tuple[float, int]]:
            total, count = token_loss(model, self._states(model, head, batch), batch["following"])
            return [(float(total), count), *[(0.0, 0)] * (len(batch["tokens"]) - 1)]

        found = over(self, rows, answer, network, device)
        loss = sum(total for total, _ in found) / max(1, sum(count for _, count in found))
        return Score(value=-loss, figures={"loss": loss})

    def pen(self, model: Model, head: nn.Module, device: Device) -> Pen:
        """What writes."""
        assert isinstance(head, Head)
        return Pen(embedding=model.embedding, decoder=head.decoder, scores=model.scores, place=device.place)

    def memory(self, model: Model, sources: Sequence[NDArray[np.int32]], device: Device) -> Tensor:
        """States (N,S,D) of sources of one length, for the decoder to attend to."""
        tokens = torch.tensor([[BOS, *source.tolist(), EOS] for source in sources], device=device.place)
        with torch.inference_mode():
            return model.encode(tokens, torch.ones_like(tokens, dtype=torch.bool))

    def raw(self, answer: str) -> str:
        """What a baseline would have answered."""
        return answer

    def gold(self, example: PairExample) -> str:
        """What is right."""
        return example.second

    def measure(self, gold: Sequence[str], predicted: Sequence[str], *, seed: int) -> dict[str, Any]:
        """BLEU with its interval, and chrF, both 0 to 100."""
        return self.tally(gold, predicted).facts(seed=seed) | {"chrf": metrics.chrf(gold, predicted)}

    def tally(self, gold: Sequence[str], predicted: Sequence[str]) -> Tally:
        """What each text adds to BLEU."""
        return metrics.translation(gold, predicted, language=guess(list(gold[:GUESSED_FROM])))

    def _states(self, model: Model, head: nn.Module, batch: Tensors) -> Tensor:
        """(B,T,D) what the decoder says of the next token."""
        assert isinstance(head, Head)
        memory = model.encode(batch["tokens"], batch["keep"])
        states: Tensor = head.decoder(
            model.embedding(batch["inputs"]), batch["inputs_keep"], memory, batch["keep"]
        )
        return states


NEVER = torch.tensor([special for special in range(NUM_SPECIAL) if special != EOS])
"""Tokens that are not written."""
