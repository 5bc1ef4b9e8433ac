"""What is kept out, and that a refusal repeats nothing of what it refuses."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from autolect.serve.app import create_app
from autolect.serve.limits import ServeSettings, hash_key, is_loopback

if TYPE_CHECKING:
    from tests.serve.conftest import Connect, FakeModel

KEY = "a-long-enough-secret-key"
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"NaN",
        b"[]",
        b"null",
        b"\xff\xfe\xff",
        b"[" * 100_000,
        b'{"texts": NaN}',
        b'{"texts": ["sekrit"], "count": Infinity}',
        b'{"texts": ["sekrit"], "count": -Infinity}',
        b'{"texts": ["sekrit"], "count": 2.5}',
        b'{"texts": ["sekrit"], "count": "3"}',
        b'{"texts": ["sekrit"], "count": 0}',
        b'{"texts": ["sekrit"], "count": ' + b"9" * 5000 + b"}",
        b'{"texts": ["sekrit"], "sekrit": 1}',
        b'{"texts": "sekrit"}',
        b'{"texts": [1]}',
        b'{"texts": []}',
        b'{"texts": ["sekrit \\ud800"]}',
        b'{"count": 1}',
    ],
)
def test_a_bad_body_is_400_and_not_repeated(body: bytes, model: FakeModel, connect: Connect) -> None:
    reply = connect(model).post("/fill", content=body, headers=JSON)
    assert reply.status_code == 400
    assert list(reply.json()) == ["error"]
    assert "sekrit" not in reply.text
    assert model.calls == []


def test_nan_in_a_number_is_400(model: FakeModel, connect: Connect) -> None:
    body = b'{"texts": ["a"], "temperature": NaN}'
    assert connect(model).post("/generate", content=body, headers=JSON).status_code == 400


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary() | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()))
def test_no_body_is_ever_an_internal_error(body: bytes, model: FakeModel, connect: Connect) -> None:
    reply = connect(model).post("/v1/embeddings", content=body, headers=JSON)
    assert reply.status_code == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_a_content_type_that_needs_no_preflight_is_415(kind: str, model: FakeModel, connect: Connect) -> None:
    content = b'{"texts": ["a"]}'
    client = connect(model)
    assert client.post("/fill", content=content, headers={"content-type": kind}).status_code == 415
    assert client.post("/fill", content=content).status_code == 415


def test_content_type_may_name_its_charset(model: FakeModel, connect: Connect) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    reply = connect(model).post("/fill", content=b'{"texts": ["a"]}', headers=headers)
    assert reply.status_code == 200


def test_content_encoding_is_415(model: FakeModel, connect: Connect) -> None:
    headers = {**JSON, "content-encoding": "gzip"}
    assert connect(model).post("/fill", content=b"", headers=headers).status_code == 415


def test_a_long_body_is_413_by_its_declared_length(model: FakeModel, connect: Connect) -> None:
    client = connect(model, max_body_bytes=100)
    assert client.post("/fill", json={"texts": ["a" * 101]}).status_code == 413
    assert client.post("/fill", json={"texts": ["a" * 50]}).status_code == 200


def test_a_long_body_without_length_is_413_before_all_of_it_is_read(model: FakeModel) -> None:
    sent = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"x" * 100

    reply = _ask(model, ServeSettings(max_body_bytes=1000), content=stream())
    assert reply.status_code == 413
    assert sent <= 12


def test_a_body_that_never_ends_is_408(model: FakeModel) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    start = time.monotonic()
    reply = _ask(model, ServeSettings(body_seconds=0.05), content=stream())
    assert reply.status_code == 408
    assert time.monotonic() - start < 2


def test_too_many_or_too_long_texts_are_400(model: FakeModel, connect: Connect) -> None:
    client = connect(model, max_texts=3, max_characters=50)
    assert client.post("/fill", json={"texts": ["a"] * 3}).status_code == 200
    assert client.post("/fill", json={"texts": ["a"] * 4}).status_code == 400
    assert client.post("/fill", json={"texts": ["a" * 51]}).status_code == 400
    assert client.post("/v1/embeddings", json={"input": ["a"] * 4}).status_code == 400


def test_a_text_the_model_would_cut_is_400_and_says_where(model: FakeModel, connect: Connect) -> None:
    reply = connect(model).post("/fill", json={"texts": ["a", "b" * 101]})
    assert reply.status_code == 400
    assert reply.json()["error"]["message"] == "text 2 has 101 tokens; this model takes up to 100"


def test_a_request_larger_than_the_queue_is_413(model: FakeModel, connect: Connect) -> None:
    reply = connect(model, queue_tokens=150).post("/fill", json={"texts": ["a" * 80] * 2})
    assert reply.status_code == 413


def test_a_request_that_takes_too_long_is_503_and_the_server_goes_on(
    model: FakeModel, connect: Connect
) -> None:
    client = connect(model, request_seconds=0.1)
    model.open.clear()
    reply = client.post("/fill", json={"texts": ["a"]})
    model.open.set()
    assert reply.status_code == 503
    assert reply.headers["retry-after"] == "1"
    assert client.post("/fill", json={"texts": ["b"]}).status_code == 200


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/no/such/place"])
def test_without_the_key_nothing_is_told(path: str, model: FakeModel, connect: Connect) -> None:
    client = connect(model, api_keys=(KEY, "another-secret-key"))
    assert client.get(path).status_code == 401
    assert client.get(path).headers["www-authenticate"] == "Bearer"
    for wrong in (f"Bearer {KEY}x", f"Basic {KEY}", KEY, "Bearer", "Bearer " + hash_key(KEY)):
        assert client.get(path, headers={"authorization": wrong}).status_code == 401
    assert client.get(path, headers={"authorization": f"bearer {KEY}"}).status_code in (200, 404)


def test_the_key_is_checked_before_the_body_is_read(model: FakeModel) -> None:
    async def stream() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    assert _ask(model, ServeSettings(api_keys=(KEY,)), content=stream()).status_code == 401


def test_health_and_the_page_need_no_key(model: FakeModel, connect: Connect) -> None:
    client = connect(model, api_keys=(KEY,))
    for path in ("/health", "/ready", "/", "/page.css", "/page.js", "/answers.js"):
        assert client.get(path).status_code == 200


def test_a_key_beyond_ascii_works(model: FakeModel, connect: Connect) -> None:
    key = "钥匙钥匙钥匙钥匙钥匙钥匙钥匙钥匙"
    headers = {b"authorization": b"Bearer " + key.encode()}
    assert connect(model, api_keys=(key,)).get("/v1/models", headers=headers).status_code == 200


def test_settings_keep_only_hashes_of_keys() -> None:
    kept = ServeSettings(api_keys=(KEY,))
    assert KEY not in repr(kept)
    assert kept.api_keys == (hash_key(KEY),)
    assert ServeSettings(api_keys=kept.api_keys) == kept


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="fewer than 16"):
        ServeSettings(api_keys=("short",))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]", "[::1]:8000"])
def test_loopback_names_are_answered(host: str, model: FakeModel, connect: Connect) -> None:
    assert connect(model).get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:80", "", "::1"])
def test_a_foreign_host_is_421_even_for_the_page(host: str, model: FakeModel, connect: Connect) -> None:
    client = connect(model)
    for path in ("/", "/health", "/v1/models"):
        reply = client.get(path, headers={"host": host})
        assert reply.status_code == 421
        assert "evil" not in reply.text


def test_other_hosts_can_be_allowed(model: FakeModel, connect: Connect) -> None:
    assert connect(model, hosts=("*",)).get("/health", headers={"host": "any"}).status_code == 200
    assert connect(model, hosts=("me.lan",)).get("/health", headers={"host": "me.lan:80"}).status_code == 200


def test_no_other_origin_may_read_or_ask(model: FakeModel, connect: Connect) -> None:
    client = connect(model)
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for reply in (client.options("/fill", headers=headers), client.get("/v1/models", headers=headers)):
        assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/page.js", "/v1/models", "/no/such/place", "/fill"])
def test_every_answer_carries_the_protecting_headers(path: str, model: FakeModel, connect: Connect) -> None:
    headers = connect(model).get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "server" not in headers


def test_refusals_of_the_gate_carry_the_headers_too(model: FakeModel, connect: Connect) -> None:
    reply = connect(model).get("/", headers={"host": "evil.example"})
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_loopback_counts_as_private(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "localhost.example", "", "[::]"])
def test_nothing_else_counts_as_private(host: str) -> None:
    assert not is_loopback(host)


def _ask(model: FakeModel, settings: ServeSettings, **request: Any) -> httpx.Response:
    """One POST that streams its body; the test client would gather it first."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=create_app(model, settings=settings))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/fill", headers=JSON, **request)

    return asyncio.run(ask())
