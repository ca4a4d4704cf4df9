"""A server that says that it is loading is waited for, before the first turn and in it; Retry-After is read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llm_gc.backends.http.server_errors import seconds_after
from llm_gc.backends.interface import Loading
from llm_gc.backends.ollama import Ollama
from llm_gc.backends.openai import OpenAI
from llm_gc.protocol import ModelConfig, Reply
from tests.backends.ollama.asking import Notes, an_ask, run
from tests.runtime.acting import Naps
from tests.standin import Error, Model, Say, StandIn

LOADING = Error(503, "Loading model")
BACKENDS = pytest.mark.parametrize(
    ("backend", "path"), [(Ollama, "/api/chat"), (OpenAI, "/v1/chat/completions")], ids=["ollama", "openai"]
)
Make = Callable[..., Ollama | OpenAI]


def replied(backend: Ollama | OpenAI, notes: Notes, load_timeout: float = 5.0) -> Reply:
    """Return the reply to one ask, and close the backend."""

    async def go() -> Reply:
        try:
            return await backend.reply(an_ask(load_timeout=load_timeout), notes)
        finally:
            await backend.aclose()

    return run(go())


@BACKENDS
def test_a_server_that_is_loading_is_waited_for(backend: Make, path: str) -> None:
    """That is a load, and no try that failed."""
    notes, naps = Notes(), Naps()
    with StandIn([Model("demo:1b")]) as server:
        server.intercept(path, LOADING, Error(503, "the model is not ready", {"Retry-After": "2"}))
        server.script(Say("Yes."))
        reply = replied(backend(server.url, sleep=naps), notes)
    assert (reply.content, reply.failure, reply.attempts) == ("Yes.", None, ())
    assert naps.taken == [1.0, 2.0]
    assert notes.count(Loading("demo:1b")) >= 2
    assert reply.latency.load is not None


@BACKENDS
def test_a_load_without_end_is_given_up(backend: Make, path: str) -> None:
    """Within load_timeout, which the failure names."""
    with StandIn([Model("demo:1b")]) as server:
        server.intercept(path, *[LOADING] * 50)
        failure = replied(backend(server.url, sleep=Naps()), Notes(), load_timeout=0.001).failure
    assert failure is not None
    assert (failure.kind, failure.retry) == ("load_timeout", False)
    assert "limits.load_timeout" in failure.message


@BACKENDS
def test_a_server_that_is_loading_is_waited_for_before_the_first_turn(
    backend: Make, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its list of models is asked for."""
    monkeypatch.setattr("llm_gc.backends.http.loading.POLL", 0.01)
    notes = Notes()

    async def go(client: Ollama | OpenAI) -> None:
        try:
            await client.preflight([ModelConfig("demo:1b")], 5.0, notes)
        finally:
            await client.aclose()

    with StandIn([Model("demo:1b")]) as server:
        server.intercept("/api/version" if "api" in path else "/v1/models", LOADING, LOADING)
        run(go(backend(server.url)))
    assert notes == [Loading("demo:1b")] * 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("4", 4.0),
        (" 1.5 ", 1.5),
        ("Fri, 02 Jan 2026 03:04:10 GMT", 5.0),
        ("Fri, 02 Jan 2026 03:04:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1e9", None),
    ],
)
def test_when_to_ask_again_is_read(header: str, seconds: float | None) -> None:
    """In seconds or as a date by the server's own clock."""
    assert seconds_after(header, "Fri, 02 Jan 2026 03:04:05 GMT") == seconds


@BACKENDS
def test_the_time_that_a_busy_server_gives_comes_with_the_failure(backend: Make, path: str) -> None:
    """For whoever asks again."""
    with StandIn([Model("demo:1b")]) as server:
        server.intercept(path, *[Error(429, "slow down", {"Retry-After": "4"})] * 2)
        failure = replied(backend(server.url), Notes()).failure
    assert failure is not None
    assert (failure.retry, failure.after) == (True, 4.0)
    assert failure.message.endswith("It asks to wait 4 s.")
