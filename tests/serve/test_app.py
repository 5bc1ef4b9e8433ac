"""Every route: what it answers, and what a model that cannot do it says instead."""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.serve.conftest import FakeModel

if TYPE_CHECKING:
    from tests.serve.conftest import Connect

TEXTS = ["一 二 三", "a cat [MASK] on the [MASK]"]


def test_embeddings_have_the_shape_of_openai(model: FakeModel, connect: Connect) -> None:
    reply = connect(model).post("/v1/embeddings", json={"input": TEXTS, "model": "fake-zh"}).json()
    assert reply["object"] == "list"
    assert reply["model"] == "fake-zh"
    assert [one["index"] for one in reply["data"]] == [0, 1]
    assert reply["usage"] == {"prompt_tokens": 31, "total_tokens": 31}
    rows = np.array([one["embedding"] for one in reply["data"]], np.float32)
    np.testing.assert_array_equal(rows, model.embed(TEXTS))


def test_one_text_and_base64_give_the_same_vector(model: FakeModel, connect: Connect) -> None:
    body = {"input": "一 二 三", "encoding_format": "base64"}
    reply = connect(model).post("/v1/embeddings", json=body).json()
    raw = base64.b64decode(reply["data"][0]["embedding"])
    np.testing.assert_array_equal(np.frombuffer(raw, "<f4"), model.embed(["一 二 三"])[0])


def test_another_model_is_not_found_and_not_repeated(model: FakeModel, connect: Connect) -> None:
    reply = connect(model).post("/v1/embeddings", json={"input": "x", "model": "gpt-99"})
    assert reply.status_code == 404
    assert "fake-zh" in reply.text
    assert "gpt-99" not in reply.text


def test_fill_gives_offsets_and_candidates_for_each_gap(model: FakeModel, connect: Connect) -> None:
    results = connect(model).post("/fill", json={"texts": TEXTS, "count": 2}).json()["results"]
    assert results[0] == []
    assert [TEXTS[1][gap["start"] : gap["end"]] for gap in results[1]] == ["[MASK]", "[MASK]"]
    assert results[1][0]["candidates"][0] == {"token": "天", "probability": 0.5}
    assert len(results[1][0]["candidates"]) == 2


def test_reconstruct_classify_and_generate_answer_in_order(model: FakeModel, connect: Connect) -> None:
    client = connect(model)
    assert client.post("/reconstruct", json={"texts": ["a", "b"]}).json() == {"results": ["e", "b"]}
    first = client.post("/classify", json={"texts": ["a", "b"]}).json()["results"][0]
    assert first["label"] == "good"
    assert set(first["probabilities"]) == set(model.labels)
    body = {"texts": ["a"], "length": 3, "temperature": 0, "seed": 7}
    assert client.post("/generate", json=body).json() == {"results": ["a+3+0.0+7+1"]}


def test_generate_takes_the_ways_to_choose_and_a_style(model: FakeModel, connect: Connect) -> None:
    client = connect(model)
    body = {"texts": ["a"], "top_k": 5, "top_p": 0.5, "beams": 2, "style": "poem"}
    assert client.post("/generate", json=body).json() == {"results": ["a+5+0.5+2+poem"]}
    reply = client.post("/generate", json={"texts": ["a"], "style": "ode"})
    assert reply.status_code == 400
    assert "known styles: poem" in reply.json()["error"]["message"]
    assert client.post("/generate", json={"texts": ["a"], "beams": 99}).status_code == 400


def test_tag_gives_spans_in_code_points(tagger: FakeModel, connect: Connect) -> None:
    (spans,) = connect(tagger).post("/tag", json={"texts": ["😀天地人"]}).json()["results"]
    assert [(one["start"], one["end"], one["text"]) for one in spans] == [(0, 2, "😀天"), (2, 4, "地人")]


def test_pairs_translations_and_several_labels_are_answered(connect: Connect) -> None:
    pairs = connect(FakeModel(abilities=frozenset({"pair"})))
    body = {"pairs": [["one", "an\tother"], ["x", "y"]]}
    assert pairs.post("/pair", json=body).json() == {"results": [{"value": 2.0}, {"value": 2.0}]}
    assert pairs.post("/pair", json={"pairs": [["one"]]}).status_code == 400
    translator = connect(FakeModel(abilities=frozenset({"translate"})))
    assert translator.post("/translate", json={"texts": ["ab"]}).json() == {"results": ["AB"]}
    several = connect(FakeModel(abilities=frozenset({"classify", "several"})))
    assert several.post("/classify", json={"texts": ["a"]}).json() == {
        "results": [{"labels": ["good"], "probabilities": {"good": 0.9, "bad": 0.2}}]
    }


def test_what_the_model_cannot_do_is_404_and_names_what_it_can(tagger: FakeModel, connect: Connect) -> None:
    reply = connect(tagger).post("/classify", json={"texts": ["a"]})
    assert reply.status_code == 404
    assert "can embed, tag: POST /v1/embeddings, /tag" in reply.json()["error"]["message"]


def test_a_wrong_method_is_405(model: FakeModel, connect: Connect) -> None:
    reply = connect(model).get("/fill")
    assert reply.status_code == 405
    assert reply.headers["allow"] == "POST"
    assert "POST /v1/embeddings" in reply.json()["error"]["message"]


def test_models_tell_card_labels_and_abilities(model: FakeModel, connect: Connect) -> None:
    reply = connect(model).get("/v1/models").json()
    (entry,) = reply["data"]
    assert reply["object"] == "list"
    assert (entry["id"], entry["object"], entry["max_tokens"]) == ("fake-zh", "model", 100)
    assert entry["card"]["parameters"] == 5_242_880
    assert entry["labels"] == list(model.labels)
    assert entry["abilities"] == sorted(model.abilities)


def test_health_ready_and_the_page_are_there(model: FakeModel, connect: Connect) -> None:
    client = connect(model)
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}
    kinds = {path: client.get(path).headers["content-type"] for path in ("/", "/page.css", "/page.js")}
    assert kinds == {
        "/": "text/html; charset=utf-8",
        "/page.css": "text/css; charset=utf-8",
        "/page.js": "text/javascript; charset=utf-8",
    }


def test_metrics_count_this_application_alone(model: FakeModel, connect: Connect) -> None:
    client, other = connect(model), connect(model)
    client.post("/fill", json={"texts": TEXTS})
    client.get("/no/such/place")
    text = client.get("/metrics").text
    assert 'autolect_requests_total{path="/fill",status="200"} 1.0' in text
    assert 'autolect_requests_total{path="other",status="404"} 1.0' in text
    assert "autolect_tokens_total 31.0" in text
    assert "autolect_queue_requests 0.0" in text
    assert "/no/such/place" not in text
    assert "autolect_tokens_total 0.0" in other.get("/metrics").text


def test_a_bug_is_500_without_traceback_and_is_logged(
    model: FakeModel, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="autolect.serve"):
        reply = connect(model).post("/reconstruct", json={"texts": ["BOOM \x1b[31m"]})
    assert reply.status_code == 500
    assert reply.json() == {"error": {"message": "internal error"}}
    assert "RuntimeError" in caplog.text
    assert "\x1b" not in caplog.text


def test_a_panic_of_native_code_is_500_and_the_worker_lives(model: FakeModel, connect: Connect) -> None:
    client = connect(model)
    assert client.post("/reconstruct", json={"texts": ["PANIC"]}).status_code == 500
    assert client.post("/reconstruct", json={"texts": ["a"]}).json() == {"results": ["e"]}


def test_what_the_model_refuses_is_400_and_not_repeated(model: FakeModel, connect: Connect) -> None:
    reply = connect(model).post("/reconstruct", json={"texts": ["REFUSE secret"]})
    assert reply.status_code == 400
    assert "secret" not in reply.text


def test_an_answer_that_is_not_finite_is_an_error_not_broken_json(
    model: FakeModel, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "embed", lambda texts: np.full((len(texts), 4), np.nan, np.float32))
    for encoding in ("float", "base64"):
        body = {"input": "a", "encoding_format": encoding}
        assert connect(model).post("/v1/embeddings", json=body).status_code == 500
