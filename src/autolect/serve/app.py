"""The HTTP application around one model, and the process that runs it.

Only what the model can do has a route. Errors have one shape, {"error": {"message": ...}}, and never
repeat a request. No route takes a path, a URL or a template.
"""

from __future__ import annotations

import asyncio
import math
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from autolect.core.errors import UserError
from autolect.core.progress import Progress, Silent
from autolect.serve.batcher import Answered, Batcher
from autolect.serve.errors import add_errors
from autolect.serve.limits import LOG, LOOPBACK_HOSTS, Gate, RefusedError, ServeSettings, is_loopback
from autolect.serve.metrics import Metrics
from autolect.serve.protocols import (
    Ability,
    Call,
    EmbeddingsRequest,
    FillRequest,
    GenerateRequest,
    PairsRequest,
    Servable,
    TextsRequest,
    answer,
    as_embeddings,
    as_models,
    as_results,
)

ROUTES: dict[Ability, str] = {
    "embed": "/v1/embeddings",
    "fill": "/fill",
    "reconstruct": "/reconstruct",
    "classify": "/classify",
    "tag": "/tag",
    "pair": "/pair",
    "translate": "/translate",
    "generate": "/generate",
}
"""Ability -> the route that offers it."""

_PAGE = Path(__file__).resolve().parent / "page"
_ASSETS = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/answers.js": ("answers.js", "text/javascript; charset=utf-8"),
}
_OTHER = ("/health", "/ready", "/metrics", "/v1/models")
_IDLE_SECONDS = 5
_BACKLOG = 256
_LARGEST_LOGGED = 500
_SHOWN_STYLES = 20


@dataclass(slots=True)
class Service:
    """A model with its queue; `create_app` leaves it at ``app.state.service``."""

    model: Servable
    settings: ServeSettings
    batcher: Batcher
    leaving: bool = False

    async def ask(self, call: Call, texts: Sequence[str]) -> Answered:
        """The model's answers; RefusedError when it does not take these texts."""
        self.settings.check_texts(texts)
        try:
            return await self.batcher.submit(call, texts)
        except UserError as error:
            # What it says may quote the text; the owner finds it in the log.
            LOG.warning("%s refused: %s", call.ability, ascii(str(error))[:_LARGEST_LOGGED])
            raise RefusedError(400, "the model cannot work on these texts") from None


def create_app(model: Servable, *, settings: ServeSettings) -> FastAPI:
    """The application: everything that `serve` runs, without a process or a port."""
    metrics = Metrics(paths=frozenset({*_ASSETS, *_OTHER, *ROUTES.values()}))
    batcher = Batcher(
        lambda call, texts: answer(model, call, texts),
        count=model.count_tokens,
        max_tokens=model.max_tokens,
        settings=settings,
        observe=metrics.batch,
    )
    metrics.watch(
        queued_requests=lambda: batcher.queued_requests, queued_tokens=lambda: batcher.queued_tokens
    )
    service = Service(model=model, settings=settings, batcher=batcher)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await batcher.close(seconds=settings.request_seconds)

    # The stock documentation pages load scripts from elsewhere, and a redirect repeats the request.
    app = FastAPI(
        title="autolect",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    app.add_middleware(Gate, settings=settings, observe=metrics.request)
    add_errors(app, offer=_offer(model))
    _add_facts(app, service, metrics)
    _add_page(app)
    _add_tasks(app, service)
    return app


def serve(
    model: Servable, *, host: str, port: int, settings: ServeSettings, progress: Progress | None = None
) -> None:
    """Answer requests until SIGTERM or SIGINT, finish what was taken, and return.

    Port 0 takes a free one; ``progress`` hears the address. A second signal leaves at once.
    Raises UserError when others could reach the server without a key, or the port is not to be had.
    """
    if not is_loopback(host) and not settings.api_keys and not settings.insecure:
        raise UserError(
            f"others can reach {host}, and no key is set",
            where="serve.host",
            fix="set an API key, or allow it with --insecure",
        )
    listener = _listen(host, port)
    app = create_app(model, settings=_with_hosts(settings, host))
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=math.ceil(settings.request_seconds),
    )
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}"
    (progress or Silent()).say(f"{model.name} answers at {address}")
    asyncio.run(_run(uvicorn.Server(config), listener, app.state.service))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay (40 ms an answer) off only for sockets that name their protocol.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise UserError(
            f"cannot listen ({error})", where=f"{host}:{port}", fix="choose another --host or --port"
        ) from None
    return listener


def _with_hosts(settings: ServeSettings, host: str) -> ServeSettings:
    """On loopback the configured name is allowed too; elsewhere only a key can tell friend from foe."""
    if is_loopback(host):
        name = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return settings.model_copy(update={"hosts": (*settings.hosts, name)})
    if settings.hosts == LOOPBACK_HOSTS:
        return settings.model_copy(update={"hosts": ("*",)})
    return settings


async def _run(server: uvicorn.Server, listener: socket.socket, service: Service) -> None:
    """Run until a signal; SIGTERM first leaves others the time to send their requests elsewhere."""
    # Nobody is told "ready" before a signal would be heard by us.
    service.leaving = True
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not running.done():
        await asyncio.sleep(0.01)
    loop, signalled = asyncio.get_running_loop(), asyncio.Event()
    grace = {signal.SIGTERM: service.settings.grace_seconds, signal.SIGINT: 0.0}
    first: list[signal.Signals] = []

    def hear(number: signal.Signals) -> None:
        for one in grace:
            loop.remove_signal_handler(one)
            signal.signal(one, signal.SIG_DFL)
        first.append(number)
        signalled.set()

    # Ours replace uvicorn's, which stop at once and then end the process by the signal.
    for one in grace:
        loop.add_signal_handler(one, hear, one)
    service.leaving = False
    heard = asyncio.create_task(signalled.wait())
    await asyncio.wait({running, heard}, return_when=asyncio.FIRST_COMPLETED)
    heard.cancel()
    service.leaving = True
    if first:
        await asyncio.sleep(grace[first[0]])
    service.batcher.drain()
    server.should_exit = True
    await running


def _offer(model: Servable) -> str:
    """What a client can ask this model, for those who asked something else."""
    known = [one for one in ROUTES if one in model.abilities]
    return f"this model can {', '.join(known)}: POST {', '.join(ROUTES[one] for one in known)}"


def _add_facts(app: FastAPI, service: Service, metrics: Metrics) -> None:
    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/ready")
    async def ready() -> Response:
        if service.leaving or service.batcher.draining:
            raise RefusedError(503, "this server is starting or stopping", retry_after=1)
        return JSONResponse({"status": "ready"})

    @app.get("/v1/models")
    async def models() -> Response:
        return JSONResponse(as_models(service.model))

    @app.get("/metrics")
    async def figures() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_page(app: FastAPI) -> None:
    for path, (name, kind) in _ASSETS.items():
        app.add_api_route(path, _asset((_PAGE / name).read_bytes(), kind), methods=["GET"])


def _asset(content: bytes, kind: str) -> Any:
    async def asset() -> Response:
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})

    return asset


def _add_tasks(app: FastAPI, service: Service) -> None:
    abilities = service.model.abilities
    if "embed" in abilities:
        _add_embeddings(app, service)
    if "fill" in abilities:

        @app.post(ROUTES["fill"])
        async def fill(body: FillRequest) -> Response:
            return await _results(service, Call(ability="fill", count=body.count), body.texts)

    if "generate" in abilities:

        @app.post(ROUTES["generate"])
        async def generate(body: GenerateRequest) -> Response:
            styles = service.model.styles
            if body.style is not None and body.style not in styles:
                known = ", ".join(styles[:_SHOWN_STYLES]) or "none"
                more = ", ..." if len(styles) > _SHOWN_STYLES else ""
                raise RefusedError(
                    400, f"no text of this style was seen in training; known styles: {known}{more}"
                )
            call = Call(ability="generate", **body.model_dump(exclude={"texts"}))
            return await _results(service, call, body.texts)

    if "pair" in abilities:

        @app.post(ROUTES["pair"])
        async def pair(body: PairsRequest) -> Response:
            return await _results(service, Call(ability="pair"), body.texts)

    plain: tuple[Ability, ...] = ("reconstruct", "classify", "tag", "translate")
    for ability in plain:
        if ability in abilities:
            app.add_api_route(ROUTES[ability], _plain_task(service, ability), methods=["POST"])


def _add_embeddings(app: FastAPI, service: Service) -> None:
    @app.post(ROUTES["embed"])
    async def embeddings(body: EmbeddingsRequest) -> Response:
        name = service.model.name
        if body.model not in (None, name):
            raise RefusedError(404, f"there is no such model here; this server holds {name}")
        found = await service.ask(Call(ability="embed"), body.texts)
        return JSONResponse(
            as_embeddings(found.answers, name=name, encoding=body.encoding_format, tokens=found.tokens)
        )


def _plain_task(service: Service, ability: Ability) -> Any:
    async def task(body: TextsRequest) -> Response:
        return await _results(service, Call(ability=ability), body.texts)

    return task


async def _results(service: Service, call: Call, texts: Sequence[str]) -> Response:
    found = await service.ask(call, texts)
    return JSONResponse(as_results(found.answers))
