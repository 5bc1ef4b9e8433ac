"""A bundle in use: fill, encode, embed, reconstruct, generate, predict, neighbours."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autolect.core import bundle
from autolect.core.bundle import BundleInfo
from autolect.core.device import choose, set_threads
from autolect.core.dtype import DtypeName
from autolect.core.errors import UserError
from autolect.core.results import Gap, Neighbour, Prediction
from autolect.jobs.using import contexts
from autolect.jobs.using.filling import Filler
from autolect.jobs.using.latents import Latents
from autolect.jobs.using.loading import load_model, load_network, reader_of
from autolect.jobs.using.writing import Writer
from autolect.nn import scoring
from autolect.nn.model import Model
from autolect.text.noise import padded
from autolect.text.tokenizer import BOS, EOS, MASK, PAD
from autolect.vectors import likeness
from autolect.vectors.store import WordVectors


def load(folder: Path | str, *, dtype: DtypeName = "float32") -> Lect:
    """Open a bundle for use; every byte of it is verified.

    dtype: in what the network multiplies matrices for latents and tasks. "auto" takes bfloat16 where that is
    fast: twice as many latents a second with AMX. Latents change in the third digit, and probabilities, of
    taggers above all, in the second.
    """
    place = Path(folder)
    return Lect(place, bundle.open_bundle(place), dtype=dtype)


class Lect:
    """A language model of your own variety of language, ready to answer.

    Texts longer than ``max_tokens`` are read up to there. One text gets the same answer alone and among
    others, up to rounding.
    """

    def __init__(self, folder: Path, info: BundleInfo, *, dtype: DtypeName = "float32") -> None:
        set_threads()
        self.folder, self.info = folder, info
        self.reader = reader_of(folder, info)
        self.device = choose(dtype)
        self._network: torch.nn.Module
        if info.task is None:
            self._model, self._task = load_model(folder, info), None
            self._network = self._model
        else:
            network, self._task = load_network(folder, info)
            self._model, self._head, self._network = network.model, network.head, network
        self._network.eval().to(self.device.place)

    @property
    def model(self) -> Model:
        """The network below the task, to look at or to measure."""
        return self._model

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.info.name

    @property
    def abilities(self) -> frozenset[str]:
        """What this bundle can do, by its parts."""
        able = {"encode"}
        if self._likeness is not None:
            able.add("embed")
        architecture = self._model.architecture
        if architecture.fill or architecture.causal:
            able.add("score")
        if architecture.fill:
            able.add("fill")
        if architecture.causal or self._model.decoder is not None:
            able.add("generate")
        if self._model.bottleneck is not None or architecture.states:
            able.add("reconstruct")
        if self._model.bottleneck is not None:
            able.add("decode")
        if self.info.task is not None:
            able.add(self.info.task.kind)
        return frozenset(able)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of its task."""
        if self.info.task is None:
            return ()
        return tuple(
            dict.fromkeys(
                label.removeprefix("B-")
                for label in self.info.task.labels
                if label != "O" and not label.startswith("I-")
            )
        )

    @property
    def styles(self) -> tuple[str, ...]:
        """Kinds of text that `generate` can be asked for."""
        return self._model.architecture.styles

    @property
    def max_tokens(self) -> int:
        """Longest text in tokens."""
        return self.info.length - 2

    def card(self) -> Mapping[str, object]:
        """Facts for a reader."""
        return {
            "language": self.info.language,
            "objective": self.info.objective,
            "task": self.info.task.kind if self.info.task else None,
            "parameters": self._model.num_parameters(),
            "encoder": self.info.architecture["encoder"]["kind"],
            "vocabulary": self.info.architecture["vocab_size"],
            "measured": dict(self.info.metrics),
        }

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, specials not counted."""
        if self.info.task is not None and self.info.task.kind == "pair":
            # Each of the two is read alone.
            texts = [max(text.split("\t"), key=len) for text in texts]
        return [len(one.ids) for one in self.reader.read(texts)]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Latents (N, K)."""
        return self._latents.of(texts).numpy()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors (N, D) whose cosines say how alike texts are."""
        self._need("embed")
        ids = [one.ids[: self.max_tokens] for one in self.reader.read(texts)]
        if self.info.task is not None and self.info.task.kind == "embed":
            found: NDArray[np.float32] = self._task.vectors(  # type: ignore[union-attr]
                self._network, self._model, self._head, ids, self.device
            )
            return found
        assert self._likeness is not None
        return self._likeness.vectors(ids)

    def score(self, texts: Sequence[str]) -> list[float]:
        """Natural logarithm of how likely each text is, its end included; higher is likelier.

        A network that writes gives the probability of the text. One that only fills gaps gives the
        pseudo-log-likelihood, each token hidden in turn (Salazar 2020): compare it with its like alone.
        """
        self._need("score")
        ids = [one.ids for one in self.reader.read(texts)]
        if self._model.architecture.causal:
            pieces = [scoring.windows(one, begin=BOS, stop=EOS, length=self.info.length) for one in ids]
            found = iter(scoring.log_likelihoods(self._model, [p for some in pieces for p in some], pad=PAD))
            return [float(sum(itertools.islice(found, len(some)))) for some in pieces]
        rows = [padded([one[: self.max_tokens]], min(len(one), self.max_tokens) + 2)[0] for one in ids]
        return [scoring.pseudo_log_likelihood(self._model, row, mask=MASK) for row in rows]

    def fill(self, texts: Sequence[str], *, count: int = 5) -> list[tuple[Gap, ...]]:
        """The candidates for each [MASK] of each text; UserError where a text has none."""
        self._need("fill")
        return [self._filler.fill(text, count=count) for text in texts]

    def reconstruct(self, texts: Sequence[str]) -> list[str]:
        """Each text, written again from its latent alone, or from all of its states (see the objective)."""
        self._need("reconstruct")
        return self._writer.again(texts, [self._latents.memory(text) for text in texts])

    def decode(self, latents: NDArray[np.float32], *, length: int | None = None) -> list[str]:
        """Latents (N,K) -> texts of at most ``length`` tokens; the reverse of `encode`, as well as it can."""
        self._need("decode")
        return self._writer.decoded(latents, length=length)

    def interpolate(self, one: str, other: str, *, count: int = 5) -> list[str]:
        """Texts on the straight line from one text's latent to the other's, both ends included."""
        first, last = self.encode([one, other])
        shares = np.linspace(0, 1, max(2, count), dtype=np.float32)[:, None]
        room = max(self.count_tokens([one, other]))
        length = min(self.max_tokens, 2 * room + 8)
        return self.decode(first * (1 - shares) + last * shares, length=length)

    def generate(
        self,
        texts: Sequence[str],
        *,
        length: int = 40,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        beams: int = 1,
        style: str | None = None,
        seed: int = 0,
    ) -> list[str]:
        """Each text continued by up to ``length`` tokens; temperature 0 is greedy.

        top_k, top_p: draw among so many likeliest tokens, or among those that have this probability together.
        beams: keep so many beginnings and give the likeliest text, drawing nothing. style: what kind of text
        it shall be, one of ``styles``. A bundle fine-tuned with the task `generate` takes prompts or labels
        and writes texts for them.
        """
        self._need("generate")
        if self.info.task is not None and self.info.task.kind == "generate":
            chance = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "beams": beams}
            return self._for_prompts(texts, style=style, length=length, seed=seed, **chance)
        again = "reconstruct" in self.abilities
        return [
            self._writer.continued(
                text,
                self._latents.memory(text) if again else None,
                length=length,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                beams=beams,
                style=style,
                seed=seed,
            )
            for text in texts
        ]

    def _for_prompts(
        self, texts: Sequence[str], *, style: str | None, length: int, seed: int, **chance: Any
    ) -> list[str]:
        """A text for each prompt, by the task's decoder."""
        if style is not None:
            fix = "leave the style out; the prompt says what to write"
            raise UserError(f"no style {style!r}: it writes for prompts", where=str(self.folder), fix=fix)
        task: Any = self._task
        rows = task.rows(task.unlabelled(texts), self.reader, length=self.info.length)
        found: list[str] = task.write(
            self._network, self._model, self._head, rows, self.device, length=length, seed=seed, **chance
        )
        return found

    def predict(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> list[Prediction]:
        """The task's answer for each text: a Label, Labels or the Spans; for two texts a Label or a Rating.

        Two texts are a pair, or one string with a tab between them.
        """
        return [getattr(answer, "spans", answer) for answer in self.answers(texts)]

    def answers(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> list[Any]:
        """What `predict` gives, but for tags all of them, each with its probability."""
        if self._task is None:
            self._need("predict")
        examples = self._task.unlabelled(texts)  # type: ignore[union-attr]
        rows = self._task.rows(examples, self.reader, length=self.info.length)  # type: ignore[union-attr]
        found: list[Any] = self._task.answers(  # type: ignore[union-attr]
            self._network, self._model, self._head, rows, self.device
        )
        return found

    def neighbours(self, word: str, *, context: str | None = None, count: int = 10) -> list[Neighbour]:
        """Words near a word: by the static vectors, or by what it means in a sentence that holds it."""
        if context is None:
            return self._static.neighbours(word, count=count)
        found = self._contexts.nearest(self.in_context(word, context), count=count + 1)
        return [one for one in found if one.word != word.lower()][:count]

    def in_context(self, word: str, context: str) -> NDArray[np.float32]:
        """The state (D,) of a word where it first stands in a text; UserError where it does not."""
        start = context.find(word)
        start = context.lower().find(word.lower()) if start < 0 else start
        if start < 0 or not word:
            raise UserError(
                f"{word!r} does not stand in it", where=repr(context[:40]), fix="name a word of it"
            )
        read = self.reader.read([context])[0]
        placed = contexts.Placed(read.ids[: self.max_tokens], read.offsets[: self.max_tokens])
        span = (start, start + len(word))
        state = next(contexts.states_of(self._model, [placed], [[span]], self.device))[0]
        if state is None:
            raise UserError(
                f"nothing of {word!r} is left after cleaning, or it stands behind token {self.max_tokens}",
                where=repr(context[:40]),
                fix="shorten the text",
            )
        return state

    @functools.cached_property
    def _likeness(self) -> likeness.Likeness | None:
        return likeness.load(self.folder)

    @functools.cached_property
    def _latents(self) -> Latents:
        return Latents(self._model, self.reader, self.device, room=self.max_tokens)

    @functools.cached_property
    def _writer(self) -> Writer:
        return Writer(self._model, self.reader, self.device, room=self.max_tokens, where=str(self.folder))

    @functools.cached_property
    def _filler(self) -> Filler:
        return Filler(self._model, self.reader, room=self.max_tokens)

    @functools.cached_property
    def _contexts(self) -> contexts.Contexts:
        if not (self.folder / f"{contexts.NAME}.safetensors").exists():
            raise UserError(
                "this bundle has no contextual vectors",
                where=str(self.folder),
                fix="ask the pretrained one; fine-tuning changes what states mean",
            )
        return contexts.Contexts(WordVectors.load(self.folder, name=contexts.NAME))

    def frequent_words(self, count: int) -> tuple[str, ...]:
        """Frequent words that say something: among the most frequent, the longest ones."""
        vectors = self._static
        words = [vectors.keys[place] for place in np.argsort(-vectors.counts, kind="stable")]
        said = [word for word in words[: 40 * count] if word.isalpha()]
        return tuple(sorted(said[count:], key=len, reverse=True)[:count])

    @functools.cached_property
    def words(self) -> WordVectors | None:
        """The static vectors of words; None where the bundle was made without."""
        if not (self.folder / "words.safetensors").exists():
            return None
        return WordVectors.load(self.folder, name="words")

    @property
    def _static(self) -> WordVectors:
        if self.words is None:
            raise UserError("this bundle was made without vectors", where=str(self.folder))
        return self.words

    def encode_noisy(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Latents (N,K) with the noise of a variational bottleneck, and what each costs in nats (N,)."""
        self._need("decode")
        return self._latents.noisy(texts)

    def _need(self, ability: str) -> None:
        if ability not in self.abilities:
            raise UserError(
                f"cannot {ability}: it was trained with the objective {self.info.objective!r}",
                where=str(self.folder),
                fix=f"it can {', '.join(sorted(self.abilities))}",
            )
