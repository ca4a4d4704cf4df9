"""Has a server get a model: the lines of /api/pull, from its beginning to the one that says that it is there.

Nearly every failure comes as a line with an ``error`` after HTTP 200, and a stream may just end: the model is there
only if the server has said ``success``. Whoever stops listening stops the download; the next one goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from llm_gc.backends.wire._httpx import httpx
from llm_gc.backends.wire.events import MAX_LINE, Bad, read_object
from llm_gc.backends.wire.failures import Failed, of_bad, of_status, of_transport
from llm_gc.backends.wire.said import read_error
from llm_gc.backends.wire.server import ERROR_BODY, Server, read_body
from llm_gc.backends.wire.text import natural
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
    """Have the server get ``model``; when this is cancelled, the download stops and can be gone on with.

    Raises:
        Failed: where it does not come to a good end, saying why.

    """
    place, rest = server.place(model), b""
    loop, succeeded = asyncio.get_running_loop(), False
    try:
        async with (
            asyncio.timeout(silence) as timer,
            server.open("POST", "/api/pull", {"model": model, "stream": True}) as response,
        ):
            if response.status_code != 200:
                body = await read_body(response, ERROR_BODY)
                raise Failed(of_status(place, response.status_code, body, response.headers.get("location", "")))
            async for data in response.aiter_bytes():
                timer.reschedule(loop.time() + silence)
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > MAX_LINE:
                    raise Failed(of_bad(place, Bad("too_large", "a line of its download has no end")))
                for line in lines:
                    succeeded |= _told(line, model, server, notify)
            succeeded |= _told(rest, model, server, notify)
    except TimeoutError:
        raise Failed(_failure(server, model, f"it said nothing for {silence:g}s")) from None
    except httpx.HTTPError as error:
        raise Failed(of_transport(place, error, begun=False)) from error
    if not succeeded:
        raise Failed(_failure(server, model, "it broke off before it was complete"))


def _told(line: bytes, model: str, server: Server, notify: Callable[[Pulling], None]) -> bool:
    """Pass a line on; tell whether it is the one that says that the model is there."""
    if not line.strip():
        return False
    value = read_object(line.decode("utf-8", "replace"))
    if isinstance(value, Bad):
        raise Failed(of_bad(server.place(model), value))
    if value.get("error") is not None:
        raise Failed(_failure(server, model, str(read_error(value["error"]))))
    status, part = str(value.get("status", "")), value.get("digest")
    total, done = natural(value.get("total")), natural(value.get("completed")) or 0
    notify(Pulling(status, part if isinstance(part, str) else "", total, done))
    return status == SUCCESS


def _failure(server: Server, model: str, reason: str) -> Failure:
    hints = {
        "file does not exist": "See that the name is right: https://ollama.com/library lists the models.",
        "no such host": "See that the server's machine can reach the network.",
    }
    hint = next((words for sign, words in hints.items() if sign in reason), "Pulling again goes on where it stopped.")
    return Failure("server", f"{server.place()} did not get {model}: {reason.rstrip('.')}. {hint}")
