"""Has a server get a model: the lines of /api/pull, from its beginning to the one that says that it is there.

Nearly every failure comes as a line with an ``error`` after HTTP 200, and a stream may just end: the model is there
only if the server has said ``success``. Whoever stops listening stops the download; the next one continues from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from llm_gc.backends.http._httpx import httpx
from llm_gc.backends.http.server import Server, pieces_of
from llm_gc.backends.http.server_errors import Failed, of_bad, of_status, of_transport
from llm_gc.backends.http.stream import MAX_LINE, BadLine, LineBuffer, natural, read_error, read_object
from llm_gc.protocol import Failure

SUCCESS = "success"

SILENCE = 300.0
"""For how many seconds a server may say nothing: it checks files of many gigabytes without a word."""


class Pulling(NamedTuple):
    """How far a download is. A ``part`` is one of the model's files; ``done`` of its ``total`` bytes are there."""

    status: str
    part: str = ""
    total: int | None = None
    done: int = 0


async def pull(server: Server, model: str, notify: Callable[[Pulling], None], silence: float = SILENCE) -> None:
    """Make the server pull ``model``; when this is cancelled, the download stops and can be resumed.

    Raises:
        Failed: where it does not reached a good end, saying why.

    """
    place, lines = server.place(model), LineBuffer()
    loop, last = asyncio.get_running_loop(), Pulling("")
    try:
        async with (
            asyncio.timeout(silence) as timer,
            server.open("POST", "/api/pull", {"model": model, "stream": True}) as response,
        ):
            if response.status_code != 200:
                body, location = await server.read_error(response), server.header(response, "location")
                raise Failed(of_status(place, response.status_code, body, location))
            async for data in pieces_of(response):
                for line in lines.feed(data):
                    before, last = last, _read(line, model, server) or last
                    if last != before:  # the same again and again says no more than silence
                        timer.reschedule(loop.time() + silence)
                        notify(last)
                if len(lines) > MAX_LINE:
                    raise Failed(of_bad(place, BadLine("too_large", "a line of its download has no end")))
            if rest := _read(lines.rest(), model, server):
                last = rest
                notify(last)
    except TimeoutError:
        raise Failed(_failure(server, model, f"it said nothing new for {silence:g}s")) from None
    except httpx.HTTPError as error:
        raise Failed(of_transport(place, error, begun=False)) from error
    if last.status != SUCCESS:
        raise Failed(_failure(server, model, "it broke off before it was complete"))


def _read(line: bytes, model: str, server: Server) -> Pulling | None:
    """Read a line; it says nothing where it is blank."""
    if not line.strip():
        return None
    hide = server.redactor.hide
    value = read_object(line.decode("utf-8", "replace"))
    if isinstance(value, BadLine):
        raise Failed(of_bad(server.place(model), value))
    if value.get("error") is not None:
        raise Failed(_failure(server, model, str(read_error(value["error"]).without(server.redactor))))
    status, part = str(value.get("status", "")), value.get("digest")
    total, done = natural(value.get("total")), natural(value.get("completed")) or 0
    return Pulling(hide(status), hide(part) if isinstance(part, str) else "", total, done)


def _failure(server: Server, model: str, reason: str) -> Failure:
    hints = {
        "file does not exist": "See that the name is right: https://ollama.com/library lists the models.",
        "no such host": "See that the server's machine can reach the network.",
    }
    hint = next((words for sign, words in hints.items() if sign in reason), "Pulling again continues where it stopped.")
    return Failure("server", f"{server.place()} did not get {model}: {reason.rstrip('.')}. {hint}")
