"""The classic shapes against BERT, GPT-2 and BART of transformers, with the same weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autolect.core import recipe
from autolect.nn.losses import NO_TARGET, token_loss
from autolect.nn.model import Model, architecture_for
from autolect.nn.transformer import MAX_LEARNED_POSITIONS

VOCABULARY, WIDTH, HEADS, LAYERS, LENGTH = 50, 16, 2, 2, 9
Weights = Mapping[str, Tensor]


@pytest.fixture
def texts() -> tuple[Tensor, Tensor]:
    """Tokens and keep of a long and a short text."""
    tokens = torch.randint(5, VOCABULARY, (2, LENGTH), generator=torch.Generator().manual_seed(0))
    keep = torch.ones_like(tokens, dtype=torch.bool)
    keep[1, 5:] = False
    return tokens, keep


def ours(objective: str, shape: str, *, decoder: dict[str, Any] | None = None) -> Model:
    table = {
        "corpus": {"files": ["x"]},
        "encoder": {"shape": shape, "width": WIDTH, "heads": HEADS, "layers": LAYERS},
        "decoder": decoder or {"kind": "none"},
        "objective": {"kind": objective},
    }
    return Model(architecture_for(recipe.from_table(table), vocab_size=VOCABULARY)).eval()


def varied(network: nn.Module) -> Any:
    """Every weight random, norms and biases too, so that none can be left out unnoticed."""
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in network.parameters():
            value.copy_(torch.randn(value.shape, generator=chance) * 0.3 + (0.5 if value.dim() == 1 else 0))
    return network.eval()


def linear(name: str, found: Weights, source: str) -> dict[str, Tensor]:
    return {f"{name}.{part}": found[f"{source}.{part}"] for part in ("weight", "bias")}


def attention(name: str, found: Weights, parts: tuple[str, str, str, str]) -> dict[str, Tensor]:
    """parts: where query, key, value and output stand."""
    query, key, value, output = parts
    weights = linear(f"{name}.query", found, query) | linear(f"{name}.output", found, output)
    for part in ("weight", "bias"):
        both = [found[f"{one}.{part}"] for one in (key, value)]
        weights[f"{name}.key_value.{part}"] = torch.cat(both)
    return weights


def load(model: Model, weights: dict[str, Tensor]) -> None:
    """Every weight of ours must be given; learned positions may be fewer than ours."""
    own = model.state_dict()
    assert set(own) == set(weights)
    for name, value in weights.items():
        if name.endswith("positions.weight"):
            own[name][: len(value)] = value
        else:
            assert own[name].shape == value.shape, name
            own[name] = value
    model.load_state_dict(own)


def test_bert_gives_the_same_scores(texts: tuple[Tensor, Tensor]) -> None:
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
        max_position_embeddings=20,
        layer_norm_eps=1e-5,
    )
    theirs = varied(BertForMaskedLM(config))
    found = theirs.state_dict()
    top = "bert.embeddings"
    weights = {
        "embedding.weight": found[f"{top}.word_embeddings.weight"],
        "encoder.stack.positions.weight": found[f"{top}.position_embeddings.weight"]
        + found[f"{top}.token_type_embeddings.weight"][0],
        "output_bias": found["cls.predictions.bias"],
        **linear("encoder.stack.enter", found, f"{top}.LayerNorm"),
        **linear("guess", found, "cls.predictions.transform.dense"),
        **linear("guess_leave", found, "cls.predictions.transform.LayerNorm"),
    }
    for layer in range(LAYERS):
        block, source = f"encoder.stack.blocks.{layer}", f"bert.encoder.layer.{layer}"
        query, key, value = (f"{source}.attention.self.{part}" for part in ("query", "key", "value"))
        parts = (query, key, value, f"{source}.attention.output.dense")
        weights |= attention(f"{block}.own", found, parts)
        weights |= linear(f"{block}.own_norm", found, f"{source}.attention.output.LayerNorm")
        weights |= linear(f"{block}.forward_part.enter", found, f"{source}.intermediate.dense")
        weights |= linear(f"{block}.forward_part.leave", found, f"{source}.output.dense")
        weights |= linear(f"{block}.forward_norm", found, f"{source}.output.LayerNorm")
    model = ours("masked", "bert")
    load(model, weights)
    tokens, keep = texts
    with torch.no_grad():
        wanted = theirs(input_ids=tokens, attention_mask=keep.long()).logits
        torch.testing.assert_close(
            model.scores(model.encode(tokens, keep))[keep], wanted[keep], atol=2e-5, rtol=1e-5
        )
        # What bench/training.py trains both on.
        targets = torch.where(keep & (tokens % 3 == 0), tokens, NO_TARGET)
        loss = theirs(input_ids=tokens, attention_mask=keep.long(), labels=targets).loss
        total, count = token_loss(model, model.encode(tokens, keep), targets)
        torch.testing.assert_close(total / count, loss, atol=1e-5, rtol=1e-5)
    shared = set(theirs.bert.embeddings.position_embeddings.parameters())
    assert model.num_parameters() - MAX_LEARNED_POSITIONS * WIDTH == (
        sum(value.numel() for value in theirs.parameters() if value not in shared) - 2 * WIDTH
    ), "as many parameters, but for positions and BERT's two kinds of sentence"


def test_gpt2_gives_the_same_scores_and_writes_the_same_text(texts: tuple[Tensor, Tensor]) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    from autolect.nn.writing import write

    config = GPT2Config(vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_positions=40)
    config.bos_token_id = config.eos_token_id = 1
    theirs = varied(GPT2LMHeadModel(config))
    found = dict(theirs.state_dict())
    weights = {
        "embedding.weight": found["transformer.wte.weight"],
        "encoder.stack.positions.weight": found["transformer.wpe.weight"],
        "output_bias": torch.zeros(VOCABULARY),
        **linear("encoder.stack.leave", found, "transformer.ln_f"),
    }
    for layer in range(LAYERS):
        block, source = f"encoder.stack.blocks.{layer}", f"transformer.h.{layer}"
        for name in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"):
            found[f"{source}.{name}.weight"] = found[f"{source}.{name}.weight"].T
        for part in ("weight", "bias"):
            query, *rest = found[f"{source}.attn.c_attn.{part}"].split(WIDTH)
            weights[f"{block}.own.query.{part}"] = query
            weights[f"{block}.own.key_value.{part}"] = torch.cat(rest)
        weights |= linear(f"{block}.own.output", found, f"{source}.attn.c_proj")
        weights |= linear(f"{block}.own_norm", found, f"{source}.ln_1")
        weights |= linear(f"{block}.forward_norm", found, f"{source}.ln_2")
        weights |= linear(f"{block}.forward_part.enter", found, f"{source}.mlp.c_fc")
        weights |= linear(f"{block}.forward_part.leave", found, f"{source}.mlp.c_proj")
    model = ours("causal", "gpt2")
    load(model, weights)
    tokens, keep = texts
    with torch.no_grad():
        wanted = theirs(input_ids=tokens, attention_mask=keep.long()).logits
        torch.testing.assert_close(
            model.scores(model.continue_(tokens, keep))[keep], wanted[keep], atol=2e-5, rtol=1e-5
        )
    for beams in (1, 3):
        given = theirs.generate(
            tokens[:1],
            attention_mask=torch.ones_like(tokens[:1]),
            max_new_tokens=12,
            num_beams=beams,
            do_sample=False,
            length_penalty=0.6,
            pad_token_id=0,
        )[0, LENGTH:]
        text = write(model, begin=tokens[0], stop=1, length=12, memory=None, beams=beams)[0]
        assert text == [int(token) for token in given if token != 1][: len(text)]
        assert len(text) > 3


def test_bart_gives_the_same_scores(texts: tuple[Tensor, Tensor]) -> None:
    from transformers import BartConfig, BartForConditionalGeneration

    config = BartConfig(
        vocab_size=VOCABULARY,
        d_model=WIDTH,
        encoder_layers=LAYERS,
        decoder_layers=LAYERS,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=4 * WIDTH,
        decoder_ffn_dim=4 * WIDTH,
        max_position_embeddings=20,
    )
    theirs = varied(BartForConditionalGeneration(config))
    found = theirs.state_dict()
    weights = {"embedding.weight": found["model.shared.weight"], "output_bias": found["final_logits_bias"][0]}
    for side in ("encoder", "decoder"):
        # Its positions begin at 2.
        weights[f"{side}.stack.positions.weight"] = found[f"model.{side}.embed_positions.weight"][2:]
        weights |= linear(f"{side}.stack.enter", found, f"model.{side}.layernorm_embedding")
        for layer in range(LAYERS):
            block, source = f"{side}.stack.blocks.{layer}", f"model.{side}.layers.{layer}"
            for name, part in (("own", "self_attn"), ("memory", "encoder_attn")):
                if name == "memory" and side == "encoder":
                    continue
                query, key, value, output = (f"{source}.{part}.{one}_proj" for one in ("q", "k", "v", "out"))
                weights |= attention(f"{block}.{name}", found, (query, key, value, output))
                weights |= linear(f"{block}.{name}_norm", found, f"{source}.{part}_layer_norm")
            weights |= linear(f"{block}.forward_part.enter", found, f"{source}.fc1")
            weights |= linear(f"{block}.forward_part.leave", found, f"{source}.fc2")
            weights |= linear(f"{block}.forward_norm", found, f"{source}.final_layer_norm")
    model = ours(
        "denoise", "bert", decoder={"kind": "transformer", "shape": "bert", "heads": HEADS, "layers": LAYERS}
    )
    load(model, weights)
    tokens, keep = texts
    inputs = torch.randint(5, VOCABULARY, (2, 7), generator=torch.Generator().manual_seed(3))
    everything = torch.ones_like(inputs, dtype=torch.bool)
    with torch.no_grad():
        wanted = theirs(input_ids=tokens, attention_mask=keep.long(), decoder_input_ids=inputs).logits
        decoded = model.decode(inputs, everything, model.encode(tokens, keep), keep)
        torch.testing.assert_close(model.scores(decoded), wanted, atol=2e-5, rtol=1e-5)
