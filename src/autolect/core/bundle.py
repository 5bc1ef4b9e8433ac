"""The bundle: one folder that is the model. Loading is strict and reads nothing but its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from autolect.core import files
from autolect.core.config import Section
from autolect.core.errors import DamagedError, UserError

KIND = "bundle"
SCHEMA_VERSION = 1
INFO, WEIGHTS, CARD, RECIPE = "bundle.json", "model.safetensors", "README.md", "recipe.toml"


class TaskInfo(Section):
    """What a fine-tuned bundle answers."""

    kind: str
    settings: dict[str, Any]
    labels: tuple[str, ...]


class BundleInfo(Section):
    """What a bundle is: everything that loading and a reader need besides the weights."""

    schema_version: int = SCHEMA_VERSION
    name: str
    language: str
    architecture: dict[str, Any]
    cleaning: tuple[str, ...]
    """Names of the cleaning steps that every text goes through before the tokenizer."""
    length: int
    """T, the longest text in tokens, specials counted, that the network was trained on."""
    objective: str
    task: TaskInfo | None = None
    parents: tuple[str, ...] = ()
    """Digest of the bundle that this one started from, oldest last."""
    data: dict[str, str] = Field(default_factory=dict)
    """What it was trained on: name -> SHA-256."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    tool: str
    licence: str = "unknown"
    """Licence of the training text, as far as its owner said."""


def open_bundle(folder: Path) -> BundleInfo:
    """Verify every byte and read what the bundle is."""
    files.verify(folder, kind=KIND)
    try:
        raw = json.loads((folder / INFO).read_text(encoding="utf-8"))
        version = raw.get("schema_version")
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise UserError(
                f"has schema version {version}; this autolect reads up to {SCHEMA_VERSION}",
                where=str(folder),
                fix="update autolect",
            )
        return BundleInfo.model_validate(raw)
    except (ValueError, ValidationError, AttributeError) as error:
        raise DamagedError(f"{INFO} cannot be read ({error})", where=str(folder)) from None


def digest(folder: Path) -> str:
    """One hash over everything that a finished folder holds."""
    return files.fingerprint(dict(files.read_manifest(folder).files))


def card(info: BundleInfo) -> str:
    """The bundle's README: what it is and what was measured, in Markdown."""
    lines = [f"# {info.name}", "", f"A text autoencoder ({info.language}), made with {info.tool}.", ""]
    facts = {
        "objective": info.objective,
        "task": info.task.kind if info.task else "none",
        "encoder": info.architecture["encoder"]["kind"],
        "vocabulary": info.architecture["vocab_size"],
        "longest text": f"{info.length} tokens",
        "cleaning": ", ".join(info.cleaning) or "none",
        "licence of the text": info.licence,
    }
    lines += ["| what | value |", "| --- | --- |"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    lines += ["", "| measured | value |", "| --- | --- |"]
    lines += [f"| {name} | {_shown(value)} |" for name, value in info.metrics.items()]
    if info.task:
        lines += ["", "Labels: " + ", ".join(info.task.labels)]
    return "\n".join([*lines, ""])


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
