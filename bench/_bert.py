"""One network in two forms: a bundle of autolect in BERT's shape, and the same weights for transformers."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from _race import ROOT

LAYERS, WIDTH, HEADS, VOCABULARY, LENGTH = 6, 256, 4, 8000, 128
BUNDLE, PEER, TEXTS = "bundle", "peer", "texts.json"
CORPUS = ROOT / "build" / "text" / "en.txt"
LEARNED = 300_000
"""Characters of the corpus from which the tokenizer is learned."""


def inputs(folder: Path, *, texts: int, steps: int = 0, characters: int = LEARNED) -> None:
    """A bundle, the same for transformers, and lines of text that both read.

    steps: of `masked`, on so many characters of the corpus; the bundle is as before training without.
    """
    import itertools

    from autolect.core import recipe
    from autolect.core.progress import Silent
    from autolect.jobs.run import walk
    from autolect.jobs.stages import Run
    from autolect.text.clean import Cleaner

    with CORPUS.open(encoding="utf-8") as stream:
        lines = stream.read(characters).split("\n")
        more = list(itertools.islice((line.strip() for line in stream if line.strip()), texts))
    (folder / "corpus.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    cleaner = Cleaner("faithful", language="en")
    cleaned = [cleaner.clean(line).text for line in more]
    (folder / TEXTS).write_text(json.dumps([text for text in cleaned if text]), encoding="utf-8")
    table = {
        "corpus": {"files": [str(folder / "corpus.txt")], "language": "en"},
        "tokenizer": {"vocab_size": VOCABULARY},
        "vectors": {"kind": "none"},
        "encoder": {"shape": "bert", "width": WIDTH, "layers": LAYERS, "heads": HEADS},
        "decoder": {"kind": "none"},
        "objective": {"kind": "masked"},
        "train": {"steps": steps, "length": LENGTH},
    }
    run = Run(folder=folder / "run", recipe=recipe.from_table(table), progress=Silent())
    walk(run, until="pretrained")
    (folder / BUNDLE).symlink_to(run.places["pretrained"])
    export(run.places["pretrained"], folder / PEER)


def export(bundle: Path, folder: Path) -> None:
    """A bundle in BERT's shape -> a folder that transformers reads."""
    from tokenizers import Tokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import BertForMaskedLM, PreTrainedTokenizerFast

    from autolect.jobs.using.use import load
    from autolect.text.tokenizer import BOS, EOS, PAD

    model = load(bundle).model
    theirs = BertForMaskedLM(config(len(model.rows()), padding=PAD))
    # The output's matrix is the embedding, and its bias has two names; nothing else may be missing.
    left = theirs.load_state_dict(weights(model), strict=False)
    assert not left.unexpected_keys, left
    assert all(name.startswith("cls.predictions.decoder.") for name in left.missing_keys), left
    theirs.tie_weights()
    theirs.save_pretrained(folder)
    fast = Tokenizer.from_file(str(bundle / "tokenizer.json"))
    fast.post_processor = TemplateProcessing(
        single="[BOS] $A [EOS]", special_tokens=[("[BOS]", BOS), ("[EOS]", EOS)]
    )
    named = {"pad": "[PAD]", "unk": "[UNK]", "mask": "[MASK]", "cls": "[BOS]", "sep": "[EOS]"}
    tokens = {f"{name}_token": token for name, token in named.items()}
    PreTrainedTokenizerFast(tokenizer_object=fast, model_max_length=LENGTH, **tokens).save_pretrained(folder)


def config(vocabulary: int, *, padding: int) -> Any:
    """Of BERT, in the shape of the bundle."""
    from transformers import BertConfig

    from autolect.nn.transformer import MAX_LEARNED_POSITIONS

    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
        max_position_embeddings=MAX_LEARNED_POSITIONS,
        layer_norm_eps=1e-5,
        pad_token_id=padding,
    )


def weights(model: Any) -> dict[str, Any]:
    """Our weights under BERT's names; its two kinds of sentence are none of ours, so zeros."""
    import torch

    own = model.state_dict()
    found: dict[str, Any] = {}

    def linear(theirs: str, ours: str) -> None:
        found.update({f"{theirs}.{part}": own[f"{ours}.{part}"] for part in ("weight", "bias")})

    top = "bert.embeddings"
    found[f"{top}.word_embeddings.weight"] = own["embedding.weight"]
    found[f"{top}.position_embeddings.weight"] = own["encoder.stack.positions.weight"]
    found[f"{top}.token_type_embeddings.weight"] = torch.zeros(2, WIDTH)
    found["cls.predictions.bias"] = own["output_bias"]
    linear(f"{top}.LayerNorm", "encoder.stack.enter")
    linear("cls.predictions.transform.dense", "guess")
    linear("cls.predictions.transform.LayerNorm", "guess_leave")
    for layer in range(LAYERS):
        theirs, ours = f"bert.encoder.layer.{layer}", f"encoder.stack.blocks.{layer}"
        linear(f"{theirs}.attention.self.query", f"{ours}.own.query")
        for part in ("weight", "bias"):
            both = own[f"{ours}.own.key_value.{part}"].chunk(2)
            for name, value in zip(("key", "value"), both, strict=True):
                found[f"{theirs}.attention.self.{name}.{part}"] = value.clone()
        linear(f"{theirs}.attention.output.dense", f"{ours}.own.output")
        linear(f"{theirs}.attention.output.LayerNorm", f"{ours}.own_norm")
        linear(f"{theirs}.intermediate.dense", f"{ours}.forward_part.enter")
        linear(f"{theirs}.output.dense", f"{ours}.forward_part.leave")
        linear(f"{theirs}.output.LayerNorm", f"{ours}.forward_norm")
    return found


@functools.cache
def texts(folder: Path) -> list[str]:
    """The lines that both sides read."""
    found: list[str] = json.loads((folder / TEXTS).read_text(encoding="utf-8"))
    return found
