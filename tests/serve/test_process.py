"""The real server on a real socket: where it listens, who leaves, how it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from autolect.core.errors import UserError
from autolect.serve.app import create_app, serve
from autolect.serve.limits import ServeSettings

if TYPE_CHECKING:
    from tests.serve.conftest import FakeModel

SERVER = """
import sys, time
sys.path[:0] = {paths!r}
from conftest import FakeModel
from autolect.serve.app import serve
from autolect.serve.limits import ServeSettings

class Tell:
    def say(self, text): print(text, flush=True)
    def advance(self, what, done, total, note=""): pass

class Slow(FakeModel):
    def reconstruct(self, texts):
        time.sleep(1.5)
        return super().reconstruct(texts)

serve(Slow(), host="127.0.0.1", port=0, settings=ServeSettings(grace_seconds={grace}), progress=Tell())
print("served", flush=True)
"""


@contextmanager
def running(*, grace: float) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and its address."""
    here = Path(__file__).resolve().parent
    paths = [str(here), str(here.parents[1] / "src")]
    code = textwrap.dedent(SERVER).format(paths=paths, grace=grace)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            wait_for(lambda: ready(address) == 200)
            yield process, address
        finally:
            process.kill()


def ready(address: str) -> int:
    try:
        return httpx.get(f"{address}/ready").status_code
    except httpx.TransportError:
        return 0


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it did not happen within 10 s"
        time.sleep(0.01)


def ask(address: str, text: str) -> httpx.Response:
    return httpx.post(f"{address}/reconstruct", json={"texts": [text]}, timeout=10)


def test_sigterm_finishes_what_was_taken_and_exits_with_zero() -> None:
    with running(grace=0.3) as (process, address), ThreadPoolExecutor(2) as pool:
        before = pool.submit(ask, address, "banana")
        time.sleep(0.15)
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: ready(address) == 503)
        during = pool.submit(ask, address, "cat")
        assert before.result().json() == {"results": ["benene"]}
        assert during.result().json() == {"results": ["cet"]}
        assert process.wait(timeout=10) == 0
        assert process.stdout is not None
        assert process.stdout.read().endswith("served\n")
        assert ready(address) == 0


def test_a_second_signal_leaves_at_once() -> None:
    with running(grace=30) as (process, address):
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: ready(address) == 503)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == -signal.SIGTERM


def test_sigint_needs_no_grace() -> None:
    with running(grace=30) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == 0


def test_limits_hold_on_a_real_socket() -> None:
    with running(grace=0) as (_, address):
        kind = {"content-type": "application/json"}
        long = httpx.post(f"{address}/fill", content=b"x" * 5_000_000, headers=kind)
        assert long.status_code == 413
        assert "server" not in long.headers
        assert httpx.get(address, headers={"host": "evil.example"}).status_code == 421
        assert httpx.get(address, headers={"x": "y" * 40_000}).status_code == 431
        assert httpx.get(address).status_code == 200


def test_an_answer_is_not_held_back_by_the_network_stack() -> None:
    with running(grace=0) as (_, address), httpx.Client(base_url=address) as client:
        spent = []
        for _ in range(15):
            start = time.perf_counter()
            client.post("/fill", json={"texts": ["a"]})
            spent.append(time.perf_counter() - start)
        assert sorted(spent)[7] < 0.03


def test_a_client_that_hangs_up_leaves_the_queue() -> None:
    with running(grace=0) as (_, address):
        body = json.dumps({"texts": ["a"]}).encode()
        head = b"POST /reconstruct HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        request = head + b"content-length: %d\r\n\r\n" % len(body) + body
        place = httpx.URL(address)
        assert place.port is not None
        clients = [socket.create_connection((place.host, place.port)) for _ in range(6)]
        for number, client in enumerate(clients):
            client.sendall(request)
            # The first one is at work before the others come, or it would be answered together with some.
            time.sleep(0 if number else 0.3)
        wait_for(lambda: "autolect_queue_requests 5.0" in httpx.get(f"{address}/metrics").text)
        for client in clients:
            client.close()
        wait_for(lambda: "autolect_queue_requests 0.0" in httpx.get(f"{address}/metrics").text)
        wait_for(lambda: "autolect_texts_total 1.0" in httpx.get(f"{address}/metrics").text)
        assert ask(address, "a").json() == {"results": ["e"]}
        assert "autolect_texts_total 2.0" in httpx.get(f"{address}/metrics").text


def test_more_open_requests_than_allowed_are_429(model: FakeModel) -> None:
    async def storm() -> list[httpx.Response]:
        app = create_app(model, settings=ServeSettings(queue_requests=4))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            model.open.clear()
            bodies = [{"texts": [str(number)]} for number in range(10)]
            asks = [asyncio.create_task(client.post("/fill", json=body)) for body in bodies]
            while sum(one.done() for one in asks) < 6:
                await asyncio.sleep(0.005)
            assert (await client.get("/health")).status_code == 200
            model.open.set()
            return list(await asyncio.gather(*asks))

    replies = asyncio.run(storm())
    assert sorted(reply.status_code for reply in replies) == [200] * 4 + [429] * 6
    assert all("retry-after" in reply.headers for reply in replies if reply.status_code == 429)


def test_a_server_that_others_can_reach_needs_a_key(model: FakeModel) -> None:
    with pytest.raises(UserError, match="no key is set"):
        serve(model, host="0.0.0.0", port=0, settings=ServeSettings())


def test_a_taken_port_is_an_error_that_names_it(model: FakeModel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"127.0.0.1:{port}: cannot listen"):
            serve(model, host="127.0.0.1", port=port, settings=ServeSettings())
