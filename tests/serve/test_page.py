"""The page in a real browser: every panel works, and hostile text is only ever text."""

from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn

from autolect.serve.app import create_app
from autolect.serve.limits import ServeSettings

if TYPE_CHECKING:
    from tests.serve.conftest import FakeModel

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
KEY = "a-long-enough-secret-key"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    " --disable-background-networking --disable-component-update --disable-dev-shm-usage"
).split()
WITHOUT = "AUTOLECT_WITHOUT_BROWSER"
SHOTS = os.environ.get("AUTOLECT_SCREENSHOTS", "")


class Browser:
    """As much of W3C WebDriver as these tests need."""

    def __init__(self, driver: str, profile: Path) -> None:
        arguments = [*FLAGS, f"--user-data-dir={profile}", "--window-size=1280,900"]
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        self._http = httpx.Client(base_url=driver, timeout=30)
        body = {"capabilities": {"alwaysMatch": wanted}}
        self._session = f"/session/{self._http.post('/session', json=body).json()['value']['sessionId']}"

    def command(self, path: str, body: dict[str, Any] | None = None) -> Any:
        reply = self._http.post(f"{self._session}{path}", json=body or {})
        assert reply.is_success, reply.text
        return reply.json()["value"]

    def open(self, address: str) -> None:
        self.command("/url", {"url": address})
        self.wait("document.getElementById('name').textContent.indexOf('Loading') < 0")

    def run(self, script: str, *arguments: object) -> Any:
        return self.command("/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, condition: str) -> None:
        end = time.monotonic() + 10
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < end, f"never true: {condition}"
            time.sleep(0.02)

    def element(self, selector: str) -> str:
        found = self.command("/element", {"using": "css selector", "value": selector})
        return str(found[ELEMENT])

    def click(self, selector: str) -> None:
        self.command(f"/element/{self.element(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        """Replace what a field holds, as a person would."""
        self.command(f"/element/{self.element(selector)}/clear")
        self.keys(selector, text)

    def keys(self, selector: str, text: str) -> None:
        self.command(f"/element/{self.element(selector)}/value", {"text": text})

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def ask(self, ability: str) -> str:
        """Open a panel, send what its form holds, and give the text of the answer."""
        self.click(f"#tab-{ability}")
        result = f"#panel-{ability} .result"
        self.run("document.querySelector(arguments[0]).replaceChildren()", result)
        self.click(f"#panel-{ability} button.main")
        self.wait(f"document.querySelector('{result}').childNodes.length")
        return self.text(result)

    def size(self, width: int, height: int) -> None:
        self.command("/window/rect", {"width": width, "height": height})

    def complaints(self) -> list[str]:
        """What the console has said since the last call."""
        return [entry["message"] for entry in self.command("/se/log", {"type": "browser"})]

    def shot(self, name: str) -> None:
        """A picture for a person to look at, where AUTOLECT_SCREENSHOTS names a folder."""
        if SHOTS:
            shot = self._http.get(f"{self._session}/screenshot").json()["value"]
            Path(SHOTS, f"page-{name}.png").write_bytes(base64.b64decode(shot))

    def close(self) -> None:
        self._http.delete(self._session)
        self._http.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if os.environ.get(WITHOUT) == "1":
        pytest.skip(f"{WITHOUT}=1: the page is not tested in a browser")
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.fail(
            "no chromium or no chromedriver: `apt-get install chromium chromium-driver`,"
            f" or set {WITHOUT}=1 to leave the page untested"
        )
    with subprocess.Popen([chromedriver, "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout is not None
            found = next(filter(None, (re.search(r"on port (\d+)\.", line) for line in driver.stdout)))
            browser = Browser(f"http://127.0.0.1:{found[1]}", tmp_path_factory.mktemp("profile"))
            yield browser
            browser.close()
        finally:
            driver.terminate()


@contextmanager
def serving(model: FakeModel, **settings: Any) -> Iterator[str]:
    """The application on a free port of loopback, and its address."""
    app = create_app(model, settings=ServeSettings(**settings))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", lifespan="on"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield address
        finally:
            server.should_exit = True
            thread.join(timeout=10)


Open = Callable[["FakeModel"], None]


@pytest.fixture
def show(browser: Browser) -> Iterator[Open]:
    """show(model): the page of a model is open; afterwards the console must be silent."""
    with pytest.MonkeyPatch.context():
        stack: list[Any] = []

        def show_model(model: FakeModel) -> None:
            context = serving(model)
            stack.append(context)
            browser.open(context.__enter__())

        yield show_model
        said = browser.complaints()
        for context in stack:
            context.__exit__(None, None, None)
        assert said == []
