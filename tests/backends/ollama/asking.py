"""What the tests ask, and short ways to have it answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from llm_gc.backends.http._httpx import httpx
from llm_gc.backends.interface import Notify, Progress, ignore
from llm_gc.backends.ollama import Ollama
from llm_gc.protocol import Ask, ModelConfig, Part, Reply, Request, Speaker

URL = "http://127.0.0.1:11434"
T = TypeVar("T")


def an_ask(
    model: str = "demo:1b",
    *,
    options: Mapping[str, Any] | None = None,
    timeout: float = 5.0,
    reply_time: float | None = None,
    time_left: float | None = None,
    load_timeout: float = 5.0,
    think: bool | str | None = None,
    format: Any = None,
    host: str | None = None,
) -> Ask:
    """An ask for one reply."""
    return Ask(
        id="0",
        step=("turns", 0),
        speaker=Speaker("anna"),
        label="Anna",
        casting=ModelConfig(model, host=host, think=think),
        options={"num_predict": 64} if options is None else options,
        timeout=timeout,
        load_timeout=load_timeout,
        retries=0,
        render=lambda: Request((Part("system", "You plan."), Part("user", "Plan it."))),
        format=format,
        reply_time=reply_time,
        time_left=time_left,
        max_time=time_left,
    )


def run(doing: Coroutine[Any, Any, T]) -> T:
    """Do it in an event loop of its own."""
    return asyncio.run(doing)


async def answered(ollama: Ollama, *asks: Ask, notify: Notify = ignore) -> list[Reply]:
    """The replies to some asks, one after the other; the backend is closed at the end."""
    try:
        return [await ollama.reply(ask, notify) for ask in asks]
    finally:
        await ollama.aclose()


def reply_to(ask: Ask | None = None, ollama: Ollama | None = None, notify: Notify = ignore) -> Reply:
    """The reply to one ask."""
    return run(answered(ollama or Ollama(), ask or an_ask(), notify=notify))[0]


async def never(_: httpx.Request) -> httpx.Response:
    """Not answer."""
    await asyncio.sleep(30)
    raise AssertionError("nobody waits that long")


def lines(*objects: Any) -> bytes:
    """Objects as a server streams them."""
    return b"".join(json.dumps(value).encode() + b"\n" for value in objects)


def said(text: str, **more: Any) -> dict[str, Any]:
    """A line of a reply."""
    message = {"role": "assistant", "content": text}
    return {"model": "demo:1b", "created_at": "2026-01-02T03:04:05.6789Z", "message": message, "done": False, **more}


def done(text: str = "", reason: str | None = "stop", **more: Any) -> dict[str, Any]:
    """The last line of a reply."""
    ending = {"done_reason": reason} if reason else {}
    return said(text, **{"done": True, **ending, **more})


class Notes(list[Progress]):
    """What was notified, in order."""

    def __call__(self, progress: Progress) -> None:
        """Take a note."""
        self.append(progress)
