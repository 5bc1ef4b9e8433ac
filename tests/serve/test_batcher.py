"""Batches: who shares one, who waits, who leaves, and that no answer goes astray."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolect.serve.batcher import Batch, Batcher, WorkerCrashError
from autolect.serve.limits import RefusedError, ServeSettings
from autolect.serve.protocols import Answer, Call

EMBED, RECONSTRUCT = Call(ability="embed"), Call(ability="reconstruct")
GENERATE = Call(ability="generate", length=4)


class Model:
    """Answers a text with itself in capitals; `open` lets it work; `calls` keeps its batches."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self.open, self.busy = threading.Event(), threading.Event()
        self.open.set()

    def __call__(self, call: Call, texts: Sequence[str]) -> list[Answer]:
        self.calls.append((call.ability, list(texts)))
        self.busy.set()
        assert self.open.wait(timeout=10)
        if "bad" in texts:
            raise ValueError("bad")
        if "panic" in texts:
            raise KeyboardInterrupt
        return [text.upper() for text in texts]


def run(model: Model, work: Callable[[Batcher], Coroutine[Any, Any, None]], **limits: Any) -> list[Batch]:
    """Run some work with a batcher in a new event loop; the batches that the model was given."""
    seen: list[Batch] = []

    async def main() -> None:
        batcher = Batcher(
            model,
            count=lambda texts: [len(text) for text in texts],
            max_tokens=50,
            settings=ServeSettings(**limits),
            observe=seen.append,
        )
        try:
            await asyncio.wait_for(work(batcher), timeout=10)
        finally:
            model.open.set()
            await batcher.close(seconds=5)

    asyncio.run(main())
    return seen


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another task or thread does."""
    while not condition():
        await asyncio.sleep(0.001)


async def occupy(model: Model, batcher: Batcher) -> asyncio.Task[Any]:
    """Keep the model busy with one text until `open` is set."""
    model.open.clear()
    first = asyncio.create_task(batcher.submit(EMBED, ["first"]))
    await until(model.busy.is_set)
    return first


def test_an_idle_model_starts_at_once() -> None:
    async def work(batcher: Batcher) -> None:
        await batcher.submit(EMBED, ["warm"])
        spent = []
        for _ in range(20):
            start = time.perf_counter()
            await batcher.submit(EMBED, ["a"])
            spent.append(time.perf_counter() - start)
        assert sorted(spent)[10] < 0.005

    run(Model(), work)


def test_what_waits_for_the_same_thing_shares_a_batch() -> None:
    model = Model()

    async def work(batcher: Batcher) -> None:
        first = await occupy(model, batcher)
        rest = [asyncio.create_task(batcher.submit(EMBED, [text])) for text in "abc"]
        other = asyncio.create_task(batcher.submit(RECONSTRUCT, ["d"]))
        await until(lambda: batcher.queued_requests == 4)
        model.open.set()
        assert [(await one).answers for one in (first, *rest, other)] == [
            ["FIRST"],
            ["A"],
            ["B"],
            ["C"],
            ["D"],
        ]

    batches = run(model, work)
    assert model.calls == [("embed", ["first"]), ("embed", ["a", "b", "c"]), ("reconstruct", ["d"])]
    assert [(batch.texts, batch.tokens) for batch in batches] == [(1, 5), (3, 3), (1, 1)]


def test_a_batch_keeps_to_its_budget_padding_included() -> None:
    model = Model()

    async def work(batcher: Batcher) -> None:
        first = await occupy(model, batcher)
        texts = ["aa", "bbbb", "cccc", "d", "e"]
        rest = asyncio.create_task(batcher.submit(EMBED, texts))
        await until(lambda: batcher.queued_requests == 1)
        model.open.set()
        assert (await rest).answers == [text.upper() for text in texts]
        await first

    run(model, work, batch_tokens=8)
    assert [texts for _, texts in model.calls] == [["first"], ["aa", "bbbb"], ["cccc", "d"], ["e"]]


def test_generate_never_shares_a_batch() -> None:
    model = Model()

    async def work(batcher: Batcher) -> None:
        first = await occupy(model, batcher)
        rest = [asyncio.create_task(batcher.submit(GENERATE, [text])) for text in "ab"]
        await until(lambda: batcher.queued_requests == 2)
        model.open.set()
        await asyncio.gather(first, *rest)

    run(model, work)
    assert model.calls[1:] == [("generate", ["a"]), ("generate", ["b"])]


@settings(max_examples=30, deadline=None)
@given(
    requests=st.lists(st.lists(st.text("xyz", max_size=9), min_size=1, max_size=6), min_size=1, max_size=12),
    budget=st.integers(1, 30),
)
def test_answers_alone_are_the_answers_in_any_batch(requests: list[list[str]], budget: int) -> None:
    async def work(batcher: Batcher) -> None:
        found = await asyncio.gather(*(batcher.submit(EMBED, texts) for texts in requests))
        assert [one.answers for one in found] == [[t.upper() for t in texts] for texts in requests]
        assert (batcher.queued_requests, batcher.queued_tokens) == (0, 0)

    run(Model(), work, batch_tokens=budget)


def test_one_bad_text_does_not_harm_its_neighbours() -> None:
    model = Model()

    async def work(batcher: Batcher) -> None:
        first = await occupy(model, batcher)
        rest = [asyncio.create_task(batcher.submit(EMBED, [text])) for text in ("a", "bad", "panic", "b")]
        await until(lambda: batcher.queued_requests == 4)
        model.open.set()
        good, bad, panic, fine = await asyncio.gather(*rest, return_exceptions=True)
        await first
        assert not isinstance(good, BaseException)
        assert good.answers == ["A"]
        assert isinstance(bad, ValueError)
        assert isinstance(panic, WorkerCrashError)
        assert not isinstance(fine, BaseException)
        assert fine.answers == ["B"]

    run(model, work)


def test_a_request_that_failed_leaves_nothing_behind() -> None:
    model = Model()

    async def work(batcher: Batcher) -> None:
        with pytest.raises(ValueError, match="bad"):
            await batcher.submit(EMBED, ["bad", "b" * 8, "c" * 8])
        assert (batcher.queued_requests, batcher.queued_tokens) == (0, 0)
        assert (await batcher.submit(EMBED, ["a"])).answers == ["A"]

    run(model, work, batch_tokens=8)
    assert [texts for _, texts in model.calls] == [["bad"], ["a"]]


def test_a_cancelled_request_leaves_the_queue_and_is_never_run() -> None:
    model = Model()

    async def work(batcher: Batcher) -> None:
        first = await occupy(model, batcher)
        leaver = asyncio.create_task(batcher.submit(EMBED, ["leaver"]))
        stayer = asyncio.create_task(batcher.submit(EMBED, ["stayer"]))
        await until(lambda: batcher.queued_requests == 2)
        leaver.cancel()
        await until(leaver.done)
        assert (batcher.queued_requests, batcher.queued_tokens) == (1, len("stayer"))
        model.open.set()
        await asyncio.gather(first, stayer)

    run(model, work)
    assert [texts for _, texts in model.calls] == [["first"], ["stayer"]]


def test_the_rest_of_a_long_request_is_dropped_when_it_is_cancelled() -> None:
    model = Model()

    async def work(batcher: Batcher) -> None:
        model.open.clear()
        leaver = asyncio.create_task(batcher.submit(EMBED, ["aaaa", "bbbb", "cccc"]))
        await until(model.busy.is_set)
        leaver.cancel()
        await until(leaver.done)
        model.open.set()
        await batcher.submit(EMBED, ["next"])

    run(model, work, batch_tokens=4)
    assert [texts for _, texts in model.calls] == [["aaaa"], ["next"]]


def test_a_full_queue_is_429_and_takes_requests_again_later() -> None:
    model = Model()

    async def work(batcher: Batcher) -> None:
        first = await occupy(model, batcher)
        waiting = asyncio.create_task(batcher.submit(EMBED, ["abcdef"]))
        await until(lambda: batcher.queued_tokens == 6)
        with pytest.raises(RefusedError) as caught:
            await batcher.submit(EMBED, ["abcde"])
        assert caught.value.status == 429
        assert int(caught.value.headers["retry-after"]) >= 1
        model.open.set()
        await asyncio.gather(first, waiting)
        await batcher.submit(EMBED, ["abcde"])

    run(model, work, queue_tokens=10)


def test_empty_texts_cannot_fill_the_queue_without_end() -> None:
    model = Model()

    async def work(batcher: Batcher) -> None:
        first = await occupy(model, batcher)
        waiting = [asyncio.create_task(batcher.submit(EMBED, [""])) for _ in range(5)]
        await until(lambda: batcher.queued_requests == 5)
        with pytest.raises(RefusedError, match="queue is full"):
            await batcher.submit(EMBED, [""])
        model.open.set()
        await asyncio.gather(first, *waiting)

    run(model, work, queue_tokens=5)


def test_the_length_to_generate_counts_as_tokens() -> None:
    async def work(batcher: Batcher) -> None:
        with pytest.raises(RefusedError) as caught:
            await batcher.submit(Call(ability="generate", length=100), ["abc"])
        with pytest.raises(RefusedError) as told:
            await batcher.submit(Call(ability="generate", length=25, beams=4), ["abc"])
        assert (caught.value.status, told.value.status) == (413, 413)

    run(Model(), work, queue_tokens=102)


def test_drain_finishes_what_was_taken_and_refuses_the_rest() -> None:
    model = Model()

    async def work(batcher: Batcher) -> None:
        first = await occupy(model, batcher)
        taken = asyncio.create_task(batcher.submit(EMBED, ["taken"]))
        await until(lambda: batcher.queued_requests == 1)
        batcher.drain()
        with pytest.raises(RefusedError) as caught:
            await batcher.submit(EMBED, ["late"])
        assert caught.value.status == 503
        closing = asyncio.create_task(batcher.close(seconds=5))
        await asyncio.sleep(0.02)
        assert not closing.done()
        model.open.set()
        await closing
        assert ((await first).answers, (await taken).answers) == (["FIRST"], ["TAKEN"])

    run(model, work)


def test_a_hanging_model_does_not_keep_the_batcher_from_closing() -> None:
    model = Model()

    async def work(batcher: Batcher) -> None:
        first = await occupy(model, batcher)
        start = time.monotonic()
        await batcher.close(seconds=0.05)
        assert time.monotonic() - start < 1
        model.open.set()
        await first

    run(model, work)
