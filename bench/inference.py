"""A trained network in use, beside transformers and sentence-transformers on the same weights.

make bench-setup; python bench/corpora.py DATA build/text; python bench/inference.py [embed] [fill] [tag]

embed: latents of many texts, the mean of the last states. fill: the best tokens for one gap, a text at a
time. Both sides begin with strings. "sum" is a sum over the answers: it is the same where they are.

tag: entities in many texts, in the order in which they stand. The encoder's weights are the same; ours has a
random field as its head, and in a second side the sparse features of a tagger as well, the peer a linear head
that finds nothing, so that it has no entities to put together.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

from _bert import BUNDLE, LENGTH, PEER, inputs, texts
from _race import ROOT, Bench, Round, Side, bfloat16, main

TEXTS, GAPS = 512, 64
TAGGER, FEATURES = "tagger", ("none", "hashed")


def embed_ours(folder: Path, *, dtype: Any) -> Round:
    """`Lect.encode`."""
    import autolect

    lect = autolect.load(folder / BUNDLE, dtype=dtype)

    def work() -> dict[str, Any]:
        found = lect.encode(texts(folder))
        return {"work": len(found), "sum": float(abs(found).sum())}

    return work


def embed_theirs(folder: Path, *, narrow: bool) -> Round:
    """SentenceTransformer.encode with a mean over the states."""
    import torch
    from sentence_transformers import SentenceTransformer, models

    parts = models.Transformer(str(folder / PEER), max_seq_length=LENGTH)
    network = SentenceTransformer(
        modules=[parts, models.Pooling(parts.get_word_embedding_dimension(), pooling_mode="mean")],
        device="cpu",
    )
    if narrow:
        network = network.to(torch.bfloat16)

    def work() -> dict[str, Any]:
        found = network.encode(texts(folder), batch_size=64, show_progress_bar=False)
        return {"work": len(found), "sum": float(abs(found.astype("float32")).sum())}

    return work


def gaps(folder: Path) -> list[str]:
    """Texts with their fourth word hidden."""
    words = [text.split() for text in texts(folder)]
    return [" ".join([*w[:3], "[MASK]", *w[4:40]]) for w in words if len(w) > 8][:GAPS]


def fill_ours(folder: Path) -> Round:
    """`Lect.fill`, one text after the other."""
    import autolect

    lect = autolect.load(folder / BUNDLE)

    def work() -> dict[str, Any]:
        found = [lect.fill([text]) for text in gaps(folder)]
        return {"work": len(found)}

    return work


def fill_theirs(folder: Path) -> Round:
    """The pipeline "fill-mask", one text after the other."""
    from transformers import pipeline

    filled = pipeline("fill-mask", model=str(folder / PEER), device="cpu")

    def work() -> dict[str, Any]:
        found = [filled(text) for text in gaps(folder)]
        return {"work": len(found)}

    return work


def tag_inputs(folder: Path) -> None:
    """What the others read too, taggers of ours, and the peer's."""
    import torch
    from transformers import AutoTokenizer, BertForTokenClassification

    from autolect.core import recipe
    from autolect.core.progress import Silent
    from autolect.jobs.run import walk
    from autolect.jobs.stages import Run

    _inputs(folder)
    labels = ("O", "B-name", "I-name")
    for features in FEATURES:
        table = {
            "start": str((folder / BUNDLE).resolve()),
            "task": {
                "kind": "tag",
                "train": str(ROOT / "data" / "en-slots.train.conll"),
                "features": features,
                "allow_overlap": True,
                "refit": False,
            },
            "finetune": {"steps": 20, "length": LENGTH},
        }
        run = Run(folder=folder / features, recipe=recipe.from_table(table), progress=Silent())
        walk(run, until="finetuned")
    network = BertForTokenClassification.from_pretrained(
        folder / PEER, id2label=dict(enumerate(labels)), label2id={one: n for n, one in enumerate(labels)}
    )
    with torch.no_grad():
        network.classifier.bias.copy_(torch.tensor([100.0, 0.0, 0.0]))
    network.save_pretrained(folder / TAGGER)
    AutoTokenizer.from_pretrained(folder / PEER).save_pretrained(folder / TAGGER)


def tag_ours(folder: Path, *, features: str) -> Round:
    """`Lect.predict`."""
    import autolect

    lect = autolect.load(folder / features / "finetuned", dtype="auto")

    def work() -> dict[str, Any]:
        found = lect.predict(texts(folder))
        return {"work": len(found)}

    return work


def tag_theirs(folder: Path, *, aggregation: str) -> Round:
    """The pipeline "token-classification", in the number format that is faster."""
    import torch
    from transformers import pipeline

    tagged = pipeline(
        "token-classification",
        model=str(folder / TAGGER),
        aggregation_strategy=aggregation,
        batch_size=32,
        device="cpu",
        dtype=torch.bfloat16 if bfloat16() else torch.float32,
    )

    def work() -> dict[str, Any]:
        found = tagged(texts(folder))
        return {"work": len(found)}

    return work


_inputs = functools.partial(inputs, texts=TEXTS)
_peers = [
    Side(
        f"sentence-transformers {'bfloat16' if narrow else 'float32'}",
        ours=False,
        prepare=functools.partial(embed_theirs, narrow=narrow),
    )
    for narrow in ((False, True) if bfloat16() else (False,))
]
BENCHES = {
    "embed": Bench(
        claim=f"Latents of {TEXTS} texts, strings to vectors, with the same weights.",
        unit="texts",
        sides=[
            *(
                Side(f"autolect {name}", ours=True, prepare=functools.partial(embed_ours, dtype=name))
                for name in (("bfloat16", "float32") if bfloat16() else ("float32",))
            ),
            *_peers,
        ],
        inputs=_inputs,
    ),
    "fill": Bench(
        claim="Candidates for a gap, one text at a time, with the same weights.",
        unit="texts",
        sides=[
            Side("autolect", ours=True, prepare=fill_ours),
            Side("transformers pipeline", ours=False, prepare=fill_theirs),
        ],
        inputs=_inputs,
    ),
    "tag": Bench(
        claim=f"Entities in {TEXTS} texts, strings to spans, with the same encoder.",
        unit="texts",
        sides=[
            *(
                Side(name, ours=True, prepare=functools.partial(tag_ours, features=features))
                for name, features in zip(("autolect", "autolect, features"), FEATURES, strict=True)
            ),
            *(
                Side(
                    f"transformers pipeline, {aggregation}",
                    ours=False,
                    prepare=functools.partial(tag_theirs, aggregation=aggregation),
                )
                for aggregation in ("none", "simple")
            ),
        ],
        inputs=tag_inputs,
    ),
}

if __name__ == "__main__":
    sys.exit(main(BENCHES))
