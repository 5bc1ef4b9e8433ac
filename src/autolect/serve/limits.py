"""What the server lets in: its settings, and the gate that every request passes before parsing.

The gate answers by itself what can be told from the head of a request, counts the bytes of the body
while they arrive, stops work that nobody waits for, and turns every failure into a JSON error that
repeats nothing of the request.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import json
import logging
import math
import re
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import Field, field_validator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autolect.core.config import Section

LOG = logging.getLogger("autolect.serve")
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
OPEN_PATHS = frozenset({"/", "/page.css", "/page.js", "/answers.js", "/health", "/ready"})
"""Paths that need no key: the page itself, and what an orchestrator asks."""

_HASHED = "sha256:"
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_HEAD_BYTES = 16_384
_SHORTEST_KEY = 16
_SURROGATE = re.compile("[\\ud800-\\udfff]")
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        "trusted-types 'none'"
    ),
}


class RefusedError(Exception):
    """A request that gets an error as its answer; the message must repeat nothing of the request."""

    def __init__(self, status: int, message: str, *, retry_after: float | None = None) -> None:
        self.status, self.message = status, message
        self.headers = {} if retry_after is None else {"retry-after": str(max(1, math.ceil(retry_after)))}
        super().__init__(message)


class ServeSettings(Section):
    """Limits of the server."""

    max_body_bytes: int = Field(default=1 << 20, ge=1)
    """Longest body of a request; a longer one is 413 while it is still arriving."""
    max_texts: int = Field(default=256, ge=1)
    """Texts in one request."""
    max_characters: int = Field(default=100_000, ge=1)
    """Code points in one text."""
    batch_tokens: int = Field(default=4096, ge=1)
    """Tokens in one call of the model, padding included; one long text may exceed it."""
    queue_tokens: int = Field(default=65_536, ge=1)
    """Tokens that may wait. Some seconds of work: a longer queue only makes everybody late."""
    queue_requests: int = Field(default=256, ge=1)
    """Requests that may be open at a time; more are 429."""
    request_seconds: float = Field(default=60.0, gt=0)
    """Longest time from a whole request to its answer, waiting included."""
    body_seconds: float = Field(default=10.0, gt=0)
    """Longest time in which a body may arrive."""
    grace_seconds: float = Field(default=2.0, ge=0)
    """After SIGTERM, how long /ready is 503 while requests are still taken."""
    api_keys: tuple[str, ...] = ()
    """Keys of which a client must send one, or their ``sha256:`` hashes; kept as hashes only. Empty: no key
    is needed."""
    hosts: tuple[str, ...] = LOOPBACK_HOSTS
    """Names that the Host header may carry, without port; "*" allows all. Shuts out DNS rebinding."""
    insecure: bool = False
    """Allow a server without keys on an address that others can reach."""

    @field_validator("api_keys")
    @classmethod
    def _keep_hashes_only(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if any(len(key) < _SHORTEST_KEY for key in keys):
            raise ValueError(f"a key has fewer than {_SHORTEST_KEY} characters; use a longer one")
        return tuple(key if _HASH.fullmatch(key) else hash_key(key) for key in keys)

    def check_texts(self, texts: Sequence[str]) -> None:
        """RefusedError (400) when there are too many texts or one is too long."""
        if len(texts) > self.max_texts:
            raise RefusedError(400, f"{len(texts)} texts in one request; at most {self.max_texts}")
        for number, text in enumerate(texts, start=1):
            if len(text) > self.max_characters:
                most = self.max_characters
                raise RefusedError(400, f"text {number} has {len(text)} characters; at most {most}")
            if _SURROGATE.search(text):
                raise RefusedError(400, f"text {number} has half a surrogate pair, which is no character")


def hash_key(key: str) -> str:
    """What is kept of a key. Keys are long and random, so a plain hash is enough."""
    return _HASHED + hashlib.sha256(key.encode("utf-8")).hexdigest()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address; a name other than localhost is not trusted."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def error_body(message: str) -> bytes:
    """The one shape of an error."""
    return json.dumps({"error": {"message": message}}).encode("utf-8")


@dataclass(slots=True)
class _Reply:
    """The way back to the client: adds the headers, and knows how far the answer has got."""

    send: Send
    status: int = 0
    complete: bool = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = {name for name, _ in message["headers"]}
            extra = [(n.encode(), v.encode()) for n, v in _HEADERS.items() if n.encode() not in given]
            message = {**message, "headers": [*message["headers"], *extra]}
        elif message["type"] == "http.response.body":
            self.complete = not message.get("more_body", False)
        await self.send(message)

    async def error(self, refused: RefusedError) -> None:
        body = error_body(refused.message)
        headers: Mapping[str, str] = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            **refused.headers,
        }
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self({"type": "http.response.start", "status": refused.status, "headers": raw})
        await self({"type": "http.response.body", "body": body})


@dataclass(slots=True)
class _Replay:
    """Gives the application the body that the gate has already read."""

    body: bytes
    given: bool = field(default=False, init=False)

    async def __call__(self) -> Message:
        if self.given:
            return {"type": "http.disconnect"}
        self.given = True
        return {"type": "http.request", "body": self.body, "more_body": False}


class Gate:
    """ASGI middleware around the whole application; see the module's docstring.

    ``observe`` gets the path, the status and the seconds of every answered request.
    """

    def __init__(
        self, app: ASGIApp, *, settings: ServeSettings, observe: Callable[[str, int, float], None]
    ) -> None:
        self._app, self._settings, self._observe = app, settings, observe
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reply, start = _Reply(send), time.monotonic()
        self._open += 1
        try:
            self._check_head(scope)
            body = await self._read(receive)
            if body is not None:
                await self._run(scope, body, receive, reply)
        except RefusedError as refused:
            if not reply.status:
                await reply.error(refused)
        except Exception as error:
            _log_failure(scope, error)
            if not reply.status:
                await reply.error(RefusedError(500, "internal error"))
        finally:
            self._open -= 1
            if reply.status:
                self._observe(scope["path"], reply.status, time.monotonic() - start)

    def _check_head(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        if size + sum(len(name) + len(value) for name, value in scope["headers"]) > _HEAD_BYTES:
            raise RefusedError(431, f"the head of the request is longer than {_HEAD_BYTES} bytes")
        if not _host_allowed(headers.getlist("host"), self._settings.hosts):
            raise RefusedError(421, "this server does not answer to that Host")
        if self._settings.api_keys and scope["path"] not in OPEN_PATHS:
            _check_key(headers.get("authorization", ""), self._settings.api_keys)
        if "content-encoding" in headers:
            raise RefusedError(415, "Content-Encoding is not supported; send the body as it is")
        if scope["method"] == "POST":
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise RefusedError(415, "Content-Type must be application/json")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > self._settings.max_body_bytes:
            raise self._too_long()
        if scope["method"] == "POST" and self._open > self._settings.queue_requests:
            raise RefusedError(429, "too many requests at a time; try again later", retry_after=1)

    def _too_long(self) -> RefusedError:
        return RefusedError(413, f"the body is longer than {self._settings.max_body_bytes} bytes")

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body, or None when the client has gone."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                while (message := await receive())["type"] == "http.request":
                    body += message.get("body", b"")
                    if len(body) > self._settings.max_body_bytes:
                        raise self._too_long()
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise RefusedError(408, f"the body took more than {self._settings.body_seconds:g} s") from None
        return None

    async def _run(self, scope: Scope, body: bytes, receive: Receive, reply: _Reply) -> None:
        """Run the application until it ends, the client leaves or the time is over."""
        work = asyncio.ensure_future(self._app(scope, _Replay(body), reply))
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait(
                {work, gone},
                timeout=self._settings.request_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if work.done() or reply.complete:
                await work
            elif not gone.done():
                seconds = self._settings.request_seconds
                raise RefusedError(503, f"no answer within {seconds:g} s", retry_after=seconds)
        finally:
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _host_allowed(given: Sequence[str], hosts: Sequence[str]) -> bool:
    if "*" in hosts:
        return True
    if len(given) != 1:
        return False
    name, colon, port = given[0].rpartition(":")
    if not colon or not port.isdecimal():
        name = given[0]
    return name.lower() in {host.lower() for host in hosts}


def _check_key(authorization: str, hashes: Sequence[str]) -> None:
    scheme, _, key = authorization.partition(" ")
    # Headers arrive as Latin-1; clients that send other characters send them as UTF-8.
    given = _HASHED + hashlib.sha256(key.strip().encode("latin-1")).hexdigest()
    matches = [hmac.compare_digest(given, one) for one in hashes]
    if scheme.lower() != "bearer" or not any(matches):
        refused = RefusedError(401, "send a valid key as Authorization: Bearer KEY")
        refused.headers["www-authenticate"] = "Bearer"
        raise refused


def _log_failure(scope: Scope, error: Exception) -> None:
    """For the owner only. ascii() keeps control bytes of a text from reaching the terminal."""
    place = "".join(traceback.format_tb(error.__traceback__))
    LOG.error(
        "%s %s failed: %s: %s\n%s",
        ascii(scope["method"]),
        ascii(scope["path"]),
        type(error).__name__,
        ascii(str(error))[:500],
        place,
    )
