"""A bundle's folder -> its network and its reader. Every weight is checked; nothing else is read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from torch import nn

from autolect.core import bundle, registry
from autolect.core.bundle import BundleInfo
from autolect.nn import weights
from autolect.nn.model import Model, architecture_from
from autolect.text import word_classes
from autolect.text.clean import Cleaner
from autolect.text.reading import Reader
from autolect.text.tokenizer import Tokenizer
from autolect.vectors import likeness

VECTORS = (
    "tokens.safetensors",
    "tokens.keys.json",
    "words.safetensors",
    "words.keys.json",
    word_classes.FILE,
    likeness.FILE,
)
"""Files of the static vectors in a bundle, of how texts are compared by them, and of the words' classes."""


class TaskNetwork(nn.Module):
    """The pretrained network and the task's head."""

    def __init__(self, model: Model, head: nn.Module) -> None:
        super().__init__()
        self.model, self.head = model, head


def copy_vectors(source: Path, target: Path) -> None:
    """Take the static vectors of a bundle into another; nothing where it has none."""
    for name in VECTORS:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


def load_model(folder: Path, info: BundleInfo) -> Model:
    """The network of a bundle, without the head of its task."""
    if info.task is not None:
        return load_network(folder, info)[0].model
    model = Model(architecture_from(info.architecture))
    weights.load(model, folder / bundle.WEIGHTS)
    return model


def load_network(folder: Path, info: BundleInfo) -> tuple[TaskNetwork, Any]:
    """The network of a fine-tuned bundle, and its task."""
    assert info.task is not None
    plugin = registry.load("tasks", info.task.kind)
    task = plugin.build(plugin.config.model_validate(info.task.settings), labels=info.task.labels)
    model = Model(architecture_from(info.architecture))
    network = TaskNetwork(model, task.head(model.architecture))
    weights.load(network, folder / bundle.WEIGHTS)
    return network.eval(), task


def reader_of(folder: Path, info: BundleInfo) -> Reader:
    """How a bundle reads texts."""
    return Reader(
        cleaner=Cleaner(info.cleaning, language=info.language),
        tokenizer=Tokenizer.load(folder),
        folder=folder,
    )
