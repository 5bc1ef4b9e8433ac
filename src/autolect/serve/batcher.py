"""Gathers what waits into batches and runs them, one at a time, in one worker thread.

An idle model starts at once. While it is busy, texts of requests that ask for the same thing gather,
and the next batch takes as many as its budget of tokens holds, oldest request first. A long request
is admitted whole and spread over several batches, so nobody waits for all of it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from autolect.serve.limits import RefusedError, ServeSettings
from autolect.serve.protocols import Answer, Call

Compute = Callable[[Call, Sequence[str]], list[Answer]]
"""(call, texts) -> one answer for each text. Runs in the worker thread."""
Count = Callable[[Sequence[str]], list[int]]
"""texts -> tokens of each. Runs in a second thread, beside the model."""
Observe = Callable[["Batch"], None]

T = TypeVar("T")

_MEMORY = 0.8
"""Weight of the past in the running speed; about the last five batches count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What the model has just been given, and how long it took."""

    texts: int
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The answers to one request, and the tokens of its texts."""

    answers: list[Answer]
    tokens: int


@dataclass(slots=True, eq=False, kw_only=True)
class _Request:
    call: Call
    texts: Sequence[str]
    tokens: Sequence[int]
    future: asyncio.Future[list[Answer]]
    answers: list[Answer] = field(default_factory=list)
    taken: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """Some texts of one request, in the order in which they were sent."""

    request: _Request
    start: int
    end: int

    @property
    def texts(self) -> Sequence[str]:
        return self.request.texts[self.start : self.end]

    @property
    def tokens(self) -> int:
        return sum(self.request.tokens[self.start : self.end])


class WorkerCrashError(RuntimeError):
    """The model raised something that is not an Exception, such as a panic of native code."""


class Batcher:
    """The only way to the model. All methods belong to one event loop."""

    def __init__(
        self,
        compute: Compute,
        *,
        count: Count,
        max_tokens: int,
        settings: ServeSettings,
        observe: Observe,
    ) -> None:
        self._compute, self._count, self._observe = compute, count, observe
        self._max_tokens, self._settings = max_tokens, settings
        self._waiting: deque[_Request] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="autolect-model")
        self._counter = ThreadPoolExecutor(1, thread_name_prefix="autolect-count")
        self._seconds_per_token = 0.0
        self._open = 0
        self._draining = False

    @property
    def queued_requests(self) -> int:
        """Requests of which some text still waits."""
        return len(self._waiting)

    @property
    def queued_tokens(self) -> int:
        """Tokens that wait; those the model is working on are not counted."""
        return sum(sum(one.tokens[one.taken :]) for one in self._waiting)

    @property
    def draining(self) -> bool:
        """Whether new requests are refused."""
        return self._draining

    async def submit(self, call: Call, texts: Sequence[str]) -> Answered:
        """Wait for the answers to some texts. Leaves the queue when cancelled.

        Raises RefusedError when a text is too long (400), the request could never be taken (413), the queue
        is full (429) or the server is leaving (503), and whatever the model raised for these texts.
        """
        if self._draining:
            raise RefusedError(503, "this server is stopping", retry_after=1)
        self._open += 1
        try:
            tokens = await self._count_tokens(texts)
            cost = [number + call.length * call.beams for number in tokens]
            self._admit(sum(cost))
            future: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
            request = _Request(call=call, texts=texts, tokens=cost, future=future)
            self._waiting.append(request)
            self._start()
            try:
                answers = await future
            finally:
                self._forget(request)
            return Answered(answers=answers, tokens=sum(tokens))
        finally:
            self._open -= 1

    def drain(self) -> None:
        """Refuse what is new; what was admitted is finished."""
        self._draining = True

    async def close(self, *, seconds: float) -> None:
        """Drain, wait up to ``seconds`` for open requests, and let the threads go."""
        self.drain()
        end = time.monotonic() + seconds
        while self._open and time.monotonic() < end:
            await asyncio.sleep(0.01)
        for thread in (self._worker, self._counter):
            thread.shutdown(wait=False, cancel_futures=True)

    async def _count_tokens(self, texts: Sequence[str]) -> list[int]:
        loop = asyncio.get_running_loop()
        outcome = await loop.run_in_executor(self._counter, _guarded, self._count, texts)
        if isinstance(outcome, Exception):
            raise outcome
        for number, tokens in enumerate(outcome, start=1):
            if tokens > self._max_tokens:
                raise RefusedError(
                    400, f"text {number} has {tokens} tokens; this model takes up to {self._max_tokens}"
                )
        # An empty text costs something too; otherwise the queue would have no end.
        return [max(1, tokens) for tokens in outcome]

    def _admit(self, tokens: int) -> None:
        most, queued = self._settings.queue_tokens, self.queued_tokens
        if tokens > most:
            raise RefusedError(413, f"the request has {tokens} tokens; at most {most}: send fewer texts")
        if queued + tokens > most:
            wait = queued * self._seconds_per_token
            raise RefusedError(429, "the queue is full; try again later", retry_after=wait)

    def _forget(self, request: _Request) -> None:
        if request in self._waiting:
            self._waiting.remove(request)

    def _start(self) -> None:
        if self._pump is None or self._pump.done():
            self._pump = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        while self._waiting:
            await self._run(self._gather())

    def _gather(self) -> list[_Piece]:
        """The next batch: texts of the oldest request and of those like it, within the budget."""
        call, pieces = self._waiting[0].call, []
        room = _Room(self._settings.batch_tokens)
        for request in [one for one in self._waiting if one.call == call]:
            start = request.taken
            while request.taken < len(request.texts) and room.take(request.tokens[request.taken]):
                request.taken += 1
            if request.taken > start:
                pieces.append(_Piece(request=request, start=start, end=request.taken))
            if request.taken == len(request.texts):
                self._waiting.remove(request)
            else:
                break
            if not call.shared:
                break
        return pieces

    async def _run(self, pieces: list[_Piece]) -> None:
        outcome = await self._attempt(pieces)
        if not isinstance(outcome, Exception):
            for piece in pieces:
                self._deliver(piece, outcome[: len(piece.texts)])
                outcome = outcome[len(piece.texts) :]
        elif len(pieces) == 1:
            self._fail(pieces[0], outcome)
        else:
            for piece in pieces:
                if not piece.request.future.done():
                    await self._run([piece])

    async def _attempt(self, pieces: list[_Piece]) -> list[Answer] | Exception:
        call, texts = pieces[0].request.call, [text for piece in pieces for text in piece.texts]
        tokens, start = sum(piece.tokens for piece in pieces), time.monotonic()
        run = asyncio.get_running_loop().run_in_executor
        outcome = await run(self._worker, _guarded, lambda given: self._compute(call, given), texts)
        seconds = time.monotonic() - start
        before = self._seconds_per_token or seconds / tokens
        self._seconds_per_token = _MEMORY * before + (1 - _MEMORY) * seconds / tokens
        self._observe(Batch(texts=len(texts), tokens=tokens, seconds=seconds))
        return outcome

    def _deliver(self, piece: _Piece, answers: list[Answer]) -> None:
        request = piece.request
        request.answers.extend(answers)
        if len(request.answers) == len(request.texts) and not request.future.done():
            request.future.set_result(request.answers)

    def _fail(self, piece: _Piece, error: Exception) -> None:
        self._forget(piece.request)
        if not piece.request.future.done():
            piece.request.future.set_exception(error)


@dataclass(slots=True)
class _Room:
    """What still fits into a batch: texts are padded to the longest, so its cost is a rectangle."""

    budget: int
    longest: int = 0
    number: int = 0

    def take(self, tokens: int) -> bool:
        longest = max(self.longest, tokens)
        if self.number and longest * (self.number + 1) > self.budget:
            return False
        self.longest, self.number = longest, self.number + 1
        return True


def _guarded(work: Callable[[Sequence[str]], list[T]], texts: Sequence[str]) -> list[T] | Exception:
    """The outcome of some work as a value, so that nothing can end the thread or the event loop."""
    try:
        return work(texts)
    except Exception as error:
        return error
    except BaseException as error:
        return WorkerCrashError(f"{type(error).__name__}: {error}")
