"""vectors -> bundle: train encoder and decoder to reconstruct the corpus."""

from __future__ import annotations

import math
import shutil
import zlib
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autolect.core import bundle, files, registry
from autolect.core.bundle import BundleInfo
from autolect.core.device import Device, choose, on, set_threads
from autolect.core.errors import UserError
from autolect.core.goal import Loss, Score, Tensors
from autolect.core.recipe import TrainConfig
from autolect.core.version import __version__
from autolect.jobs.prepare import FIGURES, TOKENS, documents
from autolect.jobs.stages import Run, section
from autolect.jobs.using import contexts
from autolect.jobs.using.loading import copy_vectors, load_model
from autolect.jobs.vectors import token_matrix
from autolect.nn import weights
from autolect.nn.model import (
    Architecture,
    Model,
    architecture_for,
    architecture_from,
    start_from_counts,
    start_from_vectors,
)
from autolect.text.noise import Texts, rows_of
from autolect.text.shards import NO_STYLE, TokenStore, open_store
from autolect.text.tokenizer import BOS, Tokenizer
from autolect.train import history
from autolect.train.batches import Batches
from autolect.train.loop import Outcome, fit
from autolect.vectors import likeness
from autolect.vectors.store import WordVectors

MEASURED_TOKENS = 8192
LEAST_MEASURED, MOST_MEASURED = 16_384, 65_536
"""Tokens of the valid split that each look measures, in a short and in a long training."""
MEASURED_A_MINUTE = 8192
"""Of them for each of the recipe's minutes."""
LEAST_TESTED, MOST_TESTED = MOST_MEASURED // 2, 4 * MOST_MEASURED
"""Tokens of the test split that are measured at the end, after a short and after a long training."""
TESTING = 8
"""One token of the test split is measured for so many that were trained on."""
LIKENED, LIKENED_LENGTH = 4096, 64
"""Texts, and tokens of each, from which it is learned how texts differ."""
UNSTYLED = 0.1
"""Share of the rows that do not say their style, so that texts can be read and written without one."""


class PretrainGoal:
    """An objective with its data, as the loop needs it. corpus: the folder of the texts, to name them."""

    def __init__(
        self,
        objective: Any,
        model: Model,
        train: TokenStore,
        valid: TokenStore,
        *,
        corpus: Path,
        most_measured: int = MOST_MEASURED,
    ) -> None:
        self.objective, self.network, self._train = objective, model, train
        self._valid = valid.sample(most_measured)
        self._corpus = corpus
        self.lengths: NDArray[np.int64] = train.lengths + 2

    def where(self, row: int) -> str:
        """File and line of the document that a row is cut from."""
        number = int(self._train.documents[row])
        return next(islice(documents(self._corpus, "train", column="where"), number, None))

    def collate(
        self, rows: NDArray[np.int64], length: int, draw: np.random.Generator, *, done: float
    ) -> Tensors:
        """Rows of the train split, noisy."""
        shown = draw.random(len(rows)) >= UNSTYLED
        texts = self._texts(self._train, rows, length, shown=shown)
        corrupted: Tensors = self.objective.corrupt(texts, draw, done=done)
        return corrupted

    def loss(self, batch: Tensors) -> Loss:
        """The objective's loss."""
        loss: Loss = self.objective.loss(self.network, batch)
        return loss

    def measure(self, device: Device) -> Score:
        """Mean loss on the valid split, or on an even sample of it where it is large."""
        return self.measure_on(self._valid, device)

    def measure_on(self, store: TokenStore, device: Device) -> Score:
        """Mean loss and its parts over a split, with the same noise at every call."""
        was_training = self.network.training
        self.network.eval()
        sums: dict[str, list[float]] = {}
        batches = Batches(store.lengths + 2, batch_tokens=MEASURED_TOKENS, seed=0).in_order()
        with torch.no_grad(), device.computing():
            for number, batch in enumerate(batches):
                draw = np.random.default_rng([zlib.crc32(b"measure"), number])
                noisy = self.objective.corrupt(self._texts(store, batch.rows, batch.length), draw)
                loss = self.loss(on(noisy, device))
                for name, (total, count) in {"loss": (loss.total, loss.targets), **loss.parts}.items():
                    seen = sums.setdefault(name, [0.0, 0.0])
                    seen[0], seen[1] = seen[0] + float(total), seen[1] + count
        self.network.train(was_training)
        return self._score(sums)

    def _texts(
        self,
        store: TokenStore,
        rows: NDArray[np.int64],
        length: int,
        *,
        shown: NDArray[np.bool_] | None = None,
    ) -> Texts:
        """Rows of a store; each begins with its style where it has one and it is shown, else with [BOS]."""
        styles = store.styles[rows].astype(np.int64)
        told = styles != NO_STYLE if shown is None else shown & (styles != NO_STYLE)
        return rows_of(
            [store.sequence(row) for row in rows],
            store.marks_of(rows),
            length,
            begins=np.where(told, self.network.architecture.vocab_size + styles, BOS),
        )

    @staticmethod
    def _score(sums: dict[str, list[float]]) -> Score:
        figures = {name: total / max(1.0, count) for name, (total, count) in sums.items()}
        return Score(value=-figures["loss"], figures=figures)


def measured(config: TrainConfig) -> int:
    """Tokens of the valid split that a look measures: few minutes are not to be spent on looks."""
    if config.minutes is None:
        return MOST_MEASURED
    return max(LEAST_MEASURED, min(MOST_MEASURED, int(config.minutes * MEASURED_A_MINUTE)))


def tested(seen: float) -> int:
    """Tokens of the test split that are measured after so many were trained on."""
    return max(LEAST_TESTED, min(MOST_TESTED, int(seen / TESTING)))


def pretrain(run: Run, corpus: Path, tokens: Path, vectors: Path | None) -> Path:
    """Make the pretrained bundle of a run."""
    recipe = run.recipe
    needs = section(
        recipe, "encoder", "decoder", "bottleneck", "objective", "train", "seed", "vectors", "name"
    )
    needs |= {"tokens": bundle.digest(tokens)}
    needs |= {"vectors": bundle.digest(vectors) if vectors else None}
    if recipe.start:
        needs |= {"start": bundle.digest(Path(recipe.start))}

    def make(folder: Path, facts: dict[str, Any]) -> None:
        Pretraining(run, corpus, tokens, vectors).write(folder, key=facts["key"])

    return run.stage("pretrained", kind=bundle.KIND, needs=needs, make=make)


class Pretraining:
    """One pretraining: build, start, train, measure, write."""

    def __init__(self, run: Run, corpus: Path, tokens: Path, vectors: Path | None) -> None:
        set_threads()
        recipe = run.recipe
        self.run, self.corpus, self.tokens, self.vectors = run, corpus, tokens, vectors
        self.tokenizer = Tokenizer.load(tokens)
        self.start = Path(recipe.start) if recipe.start else None
        self.parent = None if self.start is None else bundle.open_bundle(self.start)
        styles = tuple(files.read_json(tokens / TOKENS)["styles"])
        wanted = architecture_for(recipe, vocab_size=len(self.tokenizer), styles=styles)
        self.architecture = wanted if self.parent is None else _same(wanted, self.parent)
        room = recipe.train.length - 2
        self.splits = {name: open_store(tokens, name, length=room) for name in ("train", "valid", "test")}
        for name in ("train", "valid"):
            if not len(self.splits[name]):
                raise UserError(
                    f"the {name} split has no tokens",
                    where="corpus",
                    fix="give more text, or set corpus.split and corpus.document",
                )
        torch.manual_seed(recipe.seed)
        if self.start is not None and self.parent is not None:
            self.model = load_model(self.start, self.parent)
        else:
            self.model = Model(self.architecture)
            start_from_counts(self.model, self._counts())
        if vectors is not None:
            start_from_vectors(self.model, token_matrix(vectors, vocab_size=len(self.tokenizer)))
        kind: str = recipe.objective.kind  # type: ignore[attr-defined]
        objective = registry.load("objectives", kind).build(recipe.objective, vocab_size=len(self.tokenizer))
        self.goal = PretrainGoal(
            objective,
            self.model,
            self.splits["train"],
            self.splits["valid"],
            corpus=corpus,
            most_measured=measured(recipe.train),
        )

    def _counts(self) -> NDArray[np.int64]:
        """How often each token id stands in the training split (V,)."""
        return np.bincount(self.splits["train"].ids, minlength=len(self.tokenizer))

    def write(self, folder: Path, *, key: str) -> None:
        """Train and fill the bundle's folder."""
        run, recipe = self.run, self.run.recipe
        device = choose(recipe.train.dtype)
        work = run.work("pretrained")
        run.progress.say(
            f"pretrained: {self.model.num_parameters() / 1e6:.1f} M parameters,"
            f" {int(self.goal.lengths.sum()):,} tokens, {str(device.dtype).removeprefix('torch.')}"
        )
        held = int(self.goal.lengths.sum())
        if held < recipe.train.batch_tokens:
            run.progress.say(
                f"pretrained: all training text is {held:,} tokens, less than one step takes"
                f" ({recipe.train.batch_tokens:,}): it will be learned by heart; give more text"
            )
        outcome = fit(
            self.goal,
            recipe.train,
            seed=recipe.seed,
            device=device,
            what="pretraining",
            progress=run.progress,
            folder=work,
            key=key,
        )
        test = None
        if len(self.splits["test"]):
            test = self.goal.measure_on(self.splits["test"].sample(tested(outcome.tokens)), device)
        weights.save(self.model.state_dict(), folder / bundle.WEIGHTS)
        self.tokenizer.save(folder)
        if self.vectors is not None:
            for path in self.vectors.iterdir():
                if path.name != files.MANIFEST:
                    shutil.copyfile(path, folder / path.name)
        elif self.start is not None:
            copy_vectors(self.start, folder)
        self._contexts(device, contexts.wanted(outcome.tokens)).save(folder, name=contexts.NAME)
        self._likeness().save(folder)
        history.copy_timeless(work, folder)
        write_info(folder, self._info(outcome, test))

    def _parents(self) -> tuple[str, ...]:
        if self.start is None or self.parent is None:
            return ()
        return (bundle.digest(self.start), *self.parent.parents)

    def _contexts(self, device: Device, tokens: int) -> WordVectors:
        """Contextual vectors of the frequent words, over documents spread through the training text."""
        every = max(1, int(self.goal.lengths.sum()) // tokens)
        texts = islice(documents(self.corpus, "train"), 0, None, every)
        known = files.read_json(self.corpus / FIGURES)["language"]
        length = self.run.recipe.train.length - 2
        return contexts.learn(
            self.model,
            self.tokenizer,
            texts,
            tokens=tokens,
            language=known,
            length=length,
            device=device,
        )

    def _likeness(self) -> likeness.Likeness:
        """How texts are compared, from texts spread through the training split."""
        store, rows = self.splits["train"], self.model.rows().detach().float().cpu().numpy()
        places = np.linspace(0, len(store) - 1, min(len(store), LIKENED)).astype(int)
        return likeness.learn(rows, self._counts(), [store.sequence(at)[:LIKENED_LENGTH] for at in places])

    def _info(self, outcome: Outcome, test: Score | None) -> BundleInfo:
        recipe = self.run.recipe
        corpus = files.read_json(self.corpus / FIGURES)
        metrics: dict[str, Any] = {
            "valid_loss_before": outcome.first.figures["loss"],
            "parameters": self.model.num_parameters(),
            "steps": outcome.steps,
            "best_step": outcome.best_step,
            "tokens": outcome.tokens,
            "padding": outcome.padding,
        }
        metrics |= {f"valid_{name}": value for name, value in outcome.best.figures.items()}
        metrics["valid_perplexity"] = math.exp(min(50.0, outcome.best.figures["loss"]))
        if test is not None:
            metrics |= {f"test_{name}": value for name, value in test.figures.items()}
        return BundleInfo(
            name=recipe.name,
            language=corpus["language"],
            architecture=self.architecture.plain(),
            cleaning=tuple(corpus["cleaning"]),
            length=recipe.train.length,
            objective=recipe.objective.kind,  # type: ignore[attr-defined]
            parents=self._parents(),
            data={"corpus": bundle.digest(self.corpus)},
            metrics=metrics,
            tool=f"autolect {__version__}",
        )


def _same(wanted: Architecture, parent: BundleInfo) -> Architecture:
    """The bundle's architecture, if the recipe's objective can be trained with it; else UserError."""
    found = architecture_from(parent.architecture)
    lacking = [
        name for name in ("decoder", "bottleneck") if getattr(wanted, name) and not getattr(found, name)
    ]
    if lacking or (wanted.causal, wanted.states) != (found.causal, found.states):
        raise UserError(
            f"the bundle was trained with {parent.objective!r}, whose network does not serve another way",
            where="objective.kind",
            fix="leave out [objective], so that it goes on as it began",
        )
    return found


def write_info(folder: Path, info: BundleInfo) -> None:
    """bundle.json and the card."""
    files.save_json(folder / bundle.INFO, info.model_dump(mode="json"))
    files.save_file(folder / bundle.CARD, bundle.card(info))
