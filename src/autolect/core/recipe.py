"""The recipe: every setting of the way from text to a served model, in one frozen record.

Sections that belong to a plug-in (vectors, encoder, decoder, objective, task) are validated by the
plug-in's own CONFIG, which the registry finds by ``kind``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SerializeAsAny, ValidationError, field_validator, model_validator

from autolect.core import bundle, config, registry
from autolect.core.config import INHERITED, Section, Table
from autolect.core.dtype import DtypeName
from autolect.core.errors import UserError

Share = Annotated[float, Field(ge=0, lt=1)]


class SplitConfig(Section):
    """Shares of the documents that are kept from training."""

    valid: Share = 0.05
    """Share for choosing (early stopping, search)."""
    test: Share = 0.05
    """Share for the one final measurement."""

    @model_validator(mode="after")
    def _leaves_training_data(self) -> SplitConfig:
        if self.valid + self.test >= 1:
            raise ValueError("valid and test together leave nothing to train on; lower one")
        return self


class CorpusConfig(Section):
    """Which text, and how it is cleaned and split."""

    files: tuple[str, ...]
    """Paths or patterns (``**`` too), relative to the recipe: txt, md, jsonl, csv, tsv, parquet, conll;
    each also .gz or .zst."""
    language: str = "auto"
    """ISO 639-1 code (zh, en, fr ...); "auto" looks at the text and says what it found."""
    encoding: str = "utf-8"
    """Encoding of the files when they carry no byte order mark. Never guessed."""
    column: str | tuple[str, ...] = "text"
    """Where the text stands in jsonl, csv, tsv and parquet; of a list of columns each cell is a document."""
    style: str | None = None
    """Column that says what kind of text a document is (author, genre, source); "file": the file's name. It
    becomes a control token (CTRL: Keskar 2019, arXiv:1909.05858), see `generate --style`."""
    document: Literal["auto", "line", "block", "file"] = "auto"
    """What one document is in plain text: a line, a block between blank lines, or the file. "auto" takes
    blocks where lines are wrapped, else lines."""
    clean: Literal["faithful", "classic"] | tuple[str, ...] = "faithful"
    """Cleaning profile, or a list of steps. "faithful" keeps what a model needs; "classic" removes stop
    words, special characters and punctuation."""
    dedup: Literal["none", "exact", "near"] = "near"
    """Which repeated documents are dropped."""
    split: SplitConfig = SplitConfig()
    """Shares kept from training."""

    @field_validator("column")
    @classmethod
    def _names_columns(cls, column: str | tuple[str, ...]) -> str | tuple[str, ...]:
        names = (column,) if isinstance(column, str) else column
        if not names or not all(names) or len(set(names)) < len(names):
            raise ValueError("name a column, or several different ones")
        return column


class TokenizerConfig(Section):
    """How text becomes tokens."""

    kind: Literal["bpe", "wordpiece", "unigram", "word", "char"] = "unigram"
    """Unigram needs no word boundaries, so it serves Chinese and English alike (Kudo 2018)."""
    vocab_size: int = Field(default=8000, ge=16, le=1_000_000)
    """V at most; a small corpus gives fewer. Small vocabularies train faster on a CPU."""
    lowercase: bool = False
    """Fold case before tokenizing."""


class BottleneckConfig(Section):
    """How token states become one latent."""

    pooling: Literal["mean", "cls", "attention"] = "mean"
    """mean: average over real tokens; cls: the first state; attention: a learned average."""
    size: int | None = Field(default=None, ge=1)
    """K, the latent's width; empty: the encoder's width, which it cannot exceed."""
    code: Literal["real", "variational", "quantised"] = "real"
    """real: K numbers. variational: with noise, and a price for what they say (VAE). quantised: each number
    takes one of a few levels, so that a latent is K * log2(levels) bits (FSQ)."""
    levels: int = Field(default=2, ge=2, le=256)
    """Values that a number of a quantised latent can take; 2 makes bits."""
    price: float = Field(default=0.1, ge=0)
    """Loss for each nat that a variational latent says of its text; 1 is the likelihood's own bound, less
    keeps more of the text (Higgins 2017)."""


class TrainConfig(Section):
    """One run of the loop. Give exactly one budget; the others stay empty."""

    minutes: float | None = Field(default=None, gt=0)
    """Wall-clock budget: the loop measures its speed, fixes the number of steps and corrects it once."""
    steps: int | None = Field(default=None, ge=0)
    """Optimizer steps; 0 leaves the network as it starts."""
    epochs: float | None = Field(default=None, gt=0)
    """Passes over the training data."""
    tokens: int | None = Field(default=None, ge=1)
    """Tokens seen, padding not counted."""
    batch_tokens: int = Field(default=2048, ge=16)
    """Tokens a step. Short pairs to translate learned more from as many tokens with 768 (docs/LOG.md)."""
    micro_batches: int = Field(default=1, ge=1, le=1024)
    """Parts that a step's batch is computed in, one after the other: more parts need less memory, and the
    step stays what it is."""
    length: int = Field(default=128, ge=8, le=8192)
    """T, the longest sequence; longer documents become several sequences, nothing is cropped."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """muon: orthogonal updates for the matrices, AdamW for the rest. Learned more a step from a random start,
    not from vectors (docs/LOG.md); a step costs more."""
    rate: float = Field(default=1e-3, gt=0)
    """Peak learning rate."""
    warmup: Share = 0.05
    """Share of the steps with a rising rate; then it falls to zero along a cosine."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's decay of matrices; vectors and biases have none."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the whole gradient."""
    evaluations: int = Field(default=10, ge=1)
    """How often the valid split is measured in a run."""
    dtype: DtypeName = "auto"
    """"auto": bfloat16 where the processor multiplies it faster (AMX, AVX512-BF16, CUDA)."""
    not_finite: Literal["skip", "stop"] = "skip"
    """What becomes of a step whose loss or gradient is not a finite number: it is named and changes nothing,
    or it ends the run. Twenty in a row always do."""
    checkpoint_seconds: float = Field(default=60.0, ge=0)
    """At most about this much work is redone after a kill; more only where saving would take over 2 % of
    the time. 0 saves at each step."""

    @model_validator(mode="after")
    def _one_budget(self) -> TrainConfig:
        given = [key for key in BUDGETS if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are given; keep one budget")
        return self


class FinetuneConfig(TrainConfig):
    """One run of the loop on labelled text. Give exactly one budget; the others stay empty.

    With ``task.refit`` it is spent twice: to choose, and to learn once more from train and valid together.
    What is counted in the examples is fitted before, and takes its own time.
    """

    learn: Literal["all", "adapters", "head"] = "all"
    """What learns: every weight, or beside each matrix of the pretrained network one of low rank (LoRA, Hu
    2021), which is added to it at the end; head: what the task puts on the network alone."""
    rank: int = Field(default=8, ge=1)
    """Of the adapters."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Each layer of the encoder learns at this share of the rate of the one above it, the embedding at that
    of a layer below them all (Howard & Ruder 2018)."""
    average: int = Field(default=1, ge=1, le=100)
    """So many networks learn, from one start and each in an order of its own. They share the budget and the
    looks at valid; the mean of their weights is kept (Wortsman 2022), unless valid says that they do better
    alone. In as many steps it was better on one set, worse on another (docs/LOG.md)."""


class SearchConfig(Section):
    """Hyperparameter search on the valid split (Optuna's TPE, Akiba 2019)."""

    trials: int = Field(default=8, ge=1)
    """Finished trials, pruned ones included."""
    space: dict[str, Any] = Field(default_factory=dict)
    """Recipe key -> [low, high], [low, high, "log"] or {choose = [...]}; empty: the task's own."""
    storage: str = ""
    """Optuna storage URL, to share a search or to watch it; empty: the run's folder, with checksums."""
    finalists: int = Field(default=2, ge=1)
    """So many of the best settings are trained again with further seeds: one lucky seed decides nothing."""
    seeds: int = Field(default=3, ge=1, le=100)
    """Seeds of each finalist, its trial's included; the mean score on valid decides. 1: the best trial is
    kept as it is."""
    workers: int = Field(default=1, ge=1, le=256)
    """Processes that train at once on this machine and share its threads. Trials then go in rounds of so
    many: what a round tries, and what is pruned in it, follows from the seed and the rounds before it, so
    that a search that was killed ends as one that was not. Another number tries other settings."""


class CompareConfig(Section):
    """What `autolect compare` sets side by side."""

    seeds: int = Field(default=3, ge=1, le=100)
    """Runs of each arm, one a seed from the recipe's own seed on; intervals need two or more."""
    suite: str | None = None
    """A suite (TOML) that every pretrained bundle is asked too, see `autolect evaluate --suite`."""
    arms: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Name -> what it changes in the recipe; the first one is what the others are measured against. Empty: a
    random start against vectors, and against pretraining where there is a task."""


class ReportConfig(Section):
    """What the report shows."""

    words: tuple[str, ...] = ()
    """Words whose neighbours are shown; empty: frequent ones."""


BUDGETS = ("minutes", "steps", "epochs", "tokens")
"""Keys of which a later layer's replaces an earlier layer's."""

PLUGGED = {"vectors": "counts", "encoder": "transformer", "decoder": "transformer"}
PLUGGED |= {"objective": "autoencode", "task": "classify"}
"""Section -> the kind it takes when the recipe names none."""
_GROUP = {"encoder": "encoders", "decoder": "decoders", "objective": "objectives", "task": "tasks"}


class Recipe(Section):
    """The whole way. Four lines are enough: name, corpus.files, task.kind, task.train."""

    name: str = "lect"
    """Name of the run's folder under runs/."""
    seed: int = Field(default=0, ge=0)
    """Every random choice follows from it."""
    start: str | None = None
    """A bundle to go on from, with its tokenizer and network: to fine-tune it, or, where there is a corpus,
    to pretrain it on that first."""
    corpus: CorpusConfig | None = None
    tokenizer: TokenizerConfig = TokenizerConfig()
    vectors: SerializeAsAny[Section] | None = None
    encoder: SerializeAsAny[Section]
    bottleneck: BottleneckConfig = BottleneckConfig()
    decoder: SerializeAsAny[Section] | None
    objective: SerializeAsAny[Section]
    train: TrainConfig = TrainConfig(minutes=10)
    task: SerializeAsAny[Section] | None = None
    finetune: FinetuneConfig = FinetuneConfig(epochs=20)
    search: SearchConfig | None = None
    compare: CompareConfig = CompareConfig()
    report: ReportConfig = ReportConfig()

    @model_validator(mode="before")
    @classmethod
    def _plug_in(cls, table: Any) -> Any:
        table = dict(table)
        for section, budget in (("train", {"minutes": 10.0}), ("finetune", {"epochs": 20.0})):
            given = table.get(section, {})
            if isinstance(given, dict) and not set(BUDGETS) & set(given):
                table[section] = {**budget, **given}
        for section, default in PLUGGED.items():
            if section == "task" and section not in table:
                continue
            value = table.get(section, {})
            if not isinstance(value, Section):
                table[section] = _plugged(section, value, default)
        return table

    @model_validator(mode="after")
    def _has_text(self) -> Recipe:
        if self.corpus is None and self.start is None:
            raise ValueError(
                "there is no text; give [corpus] files, or a bundle: --from FOLDER, or start = its folder"
            )
        return self


def read(
    path: Path | None,
    *,
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Recipe:
    """Resolve a recipe from a file, the environment and ``--set`` values.

    Paths in the file are relative to the file's folder and become absolute; those in overrides are
    relative to the working folder.
    """
    table = _anchored(config.read_toml(path), path.parent) if path else {}
    layers = [table, *config.from_environment(os.environ if environment is None else environment)]
    layers += [_anchored(config.parse_assignment(text), Path.cwd()) for text in overrides]
    merged = config.merge(layers, rivals=BUDGETS)
    if path is not None:
        merged.setdefault("name", path.stem)
    return from_table(_continued(merged))


def _continued(table: Table) -> Table:
    """A recipe with a bundle and a corpus takes the bundle's parts; UserError where it names others."""
    if "corpus" not in table or "start" not in table:
        return table
    info = bundle.open_bundle(Path(str(table["start"])))
    parts = {name: info.architecture[name] or {"kind": "none"} for name in ("encoder", "decoder")}
    if info.architecture["bottleneck"] is not None:
        parts["bottleneck"] = info.architecture["bottleneck"]
    for name, part in parts.items():
        for key, value in table.get(name, {}).items():
            if key not in part or part[key] != value:
                raise UserError(
                    f"is {value!r} here and {part.get(key)!r} in the bundle",
                    where=f"{name}.{key}",
                    fix="leave it out: the bundle's network goes on",
                )
    below: Table = {**parts, "objective": {"kind": info.objective}, "train": {"length": info.length}}
    kept = {"clean": list(info.cleaning), "language": info.language}
    for key, value in kept.items():
        given = table["corpus"].get(key, value)
        if given != value and not (key == "clean" and given == "faithful"):
            raise UserError(
                f"is {given!r} here and {value!r} in the bundle",
                where=f"corpus.{key}",
                fix="leave it out: new text must be read as the old was",
            )
    return config.merge([below, table, {"corpus": kept}], rivals=BUDGETS)


def from_table(table: Table) -> Recipe:
    """Validate a parsed recipe; UserError names the key."""
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        raise config.complaint(error, where="", section=Recipe) from None


def task_from(table: Table, *, overrides: Sequence[str] = ()) -> Any:
    """The settings of a task alone; overrides are ``--set task.KEY=VALUE``. UserError names the key."""
    layers = [{"corpus": {"files": ["-"]}, "task": table}]
    layers += [_anchored(config.parse_assignment(text), Path.cwd()) for text in overrides]
    return from_table(config.merge(layers)).task


def changed(base: Recipe, *layers: Table) -> Recipe:
    """A recipe with tables laid over it."""
    return from_table(config.merge([to_table(base), *layers], rivals=BUDGETS))


def to_table(recipe: Recipe) -> Table:
    """The resolved recipe as plain values; what is empty is left out."""
    table: Table = recipe.model_dump(mode="json", exclude_none=True)
    for section in ("vectors", "decoder"):
        if getattr(recipe, section) is None:
            table[section] = {"kind": "none"}
    return table


def _plugged(section: str, value: Any, default: str) -> Section | None:
    if not isinstance(value, dict):
        raise UserError(f"is {value!r}, not a table", where=section, fix=f"write [{section}]")
    value = dict(value)
    inherited = value.pop(INHERITED, {})
    kind = value.setdefault("kind", default)
    if kind == "none" and section in ("vectors", "decoder"):
        return None
    plugin = registry.load(_GROUP.get(section, section), kind)
    known = {k: v for k, v in inherited.items() if k in plugin.config.model_fields}
    try:
        return plugin.config.model_validate({**known, **value})
    except ValidationError as error:
        raise config.complaint(error, where=section, section=plugin.config) from None


_PATHS = {"corpus": ("files",), "compare": ("suite",), "task": ("train", "valid", "test", "unlabelled")}


def _anchored(table: Table, folder: Path) -> Table:
    """Make the paths of a table absolute, as seen from the folder where they were written."""
    table = {key: dict(value) if isinstance(value, dict) else value for key, value in table.items()}
    for section, keys in _PATHS.items():
        part = table.get(section)
        if not isinstance(part, dict):
            continue
        for key in keys:
            if isinstance(part.get(key), str):
                part[key] = _absolute(folder, part[key])
            elif isinstance(part.get(key), list):
                part[key] = [_absolute(folder, str(item)) for item in part[key]]
    compare = table.get("compare")
    if isinstance(compare, dict) and isinstance(compare.get("arms"), dict):
        arms = {k: _anchored(v, folder) if isinstance(v, dict) else v for k, v in compare["arms"].items()}
        table["compare"] = {**compare, "arms": arms}
    if isinstance(table.get("start"), str):
        table["start"] = _absolute(folder, table["start"])
    return table


def _absolute(folder: Path, name: str) -> str:
    return os.path.normpath(folder.resolve() / name)
