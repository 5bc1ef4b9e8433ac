"""How the application says no: one shape, our own words, nothing of the request."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from autolect.serve.limits import RefusedError, error_body


def add_errors(app: FastAPI, *, offer: str) -> None:
    """Replace the framework's error answers. ``offer`` says what can be asked instead."""
    messages = {
        400: "the body is not valid JSON",
        404: f"there is nothing here; {offer}",
        405: f"the method is not allowed here; {offer}",
    }

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        return _answer(error.status, error.message, error.headers)

    async def framework(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        message = messages.get(error.status_code, "the request cannot be answered")
        return _answer(error.status_code, message, dict(error.headers or {}))

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _answer(400, _complaint(error), {})

    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(HTTPException, framework)
    app.add_exception_handler(RequestValidationError, invalid)


def _answer(status: int, message: str, headers: dict[str, str]) -> Response:
    return Response(error_body(message), status, headers=headers, media_type="application/json")


def _complaint(error: RequestValidationError) -> str:
    """The first problem of a body. A place may hold the name of an unknown field, so it is not repeated."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return "the body is not valid JSON"
    if first["type"] == "extra_forbidden":
        return "the body has an unknown field"
    if len(first["loc"]) == 1:
        return "the body must be a JSON object"
    return f"{first['loc'][1]}: {first['msg']}"
