"""Whatever a server does, the turn ends in the right reply or the right error, and the conversation continues."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llm_gc import load_session, messages_of, project
from llm_gc.backends.http._httpx import httpx
from llm_gc.backends.ollama import Ollama
from llm_gc.runtime.run import Run
from llm_gc.transcript.encode import plain
from llm_gc.transcript.records import Transcript
from tests.backends.faults import FAULTS, FIRST, GAP, MAX_REPLY, WHOLE, Fault
from tests.standin import Model, Say, StandIn

PIPELINE = f"""
name: faults
roles:
  anna: {{model: "demo:1b", prompt: You plan., num_ctx: 4096, max_tokens: 64}}
  ben: {{model: "demo:1b", prompt: You judge., num_ctx: 4096, max_tokens: 64}}
opening: Plan it.
turns: [anna, ben, anna]
limits: {{first_token: {FIRST}s, gap: {GAP}s, reply_time: {WHOLE}s, retries: {{times: 2, restart: 1ms}}}}
"""
SLACK = 20.0
"""So many seconds more than its limits a turn may take on a busy machine."""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for hardly anything before another try, and for no stream to end that has ended."""
    monkeypatch.setattr("llm_gc.runtime.retry_policy.BACKOFF", 0.01)
    monkeypatch.setattr("llm_gc.backends.http.exchange.FAREWELL", 0.05)


def played(folder: Path, ollama: Ollama, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Transcript:
    """A conversation of three turns, as it is on the disk."""
    (folder / "faults.yaml").write_text(PIPELINE, encoding="utf-8")
    run = Run(project.load(str(folder / "faults.yaml")), {}, ollama, (), folder / "sessions", 7, now=now)
    asyncio.run(run.go())
    assert run.path is not None
    return load_session(run.path)


def test_there_are_enough_of_them() -> None:
    """Each by its own name."""
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 50


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault(fault: Fault, tmp_path: Path) -> None:
    """The turn between two good ones meets the fault; what is recorded of it is right, and nothing is left behind."""
    with StandIn([Model("demo:1b", capabilities=("completion", "thinking"))]) as server:
        server.script(Say("The first."), *fault.behaviours, Say("The last."))
        transcript = played(tmp_path, Ollama(server.url, max_reply=MAX_REPLY))
        assert server.script_left == 0
        server.wait_until(lambda: all(chat.gone.is_set() or chat.answered.is_set() for chat in server.chats))
        assert [chat.path for chat in server.chats] == ["/api/chat"] * (len(fault.behaviours) + 2)
    first, met, last = transcript.turns
    assert (first.content, last.content, transcript.status) == ("The first.", "The last.", "completed")
    assert met.content.startswith(fault.content) if fault.cut else met.content == fault.content
    assert (met.cut_by.limit if met.cut_by and met.error is None else "") == fault.cut
    assert not fault.cut or fault.words in met.warnings[0]
    assert (met.error.kind if met.error else "") == fault.kind
    kinds = [attempt.error.kind for attempt in met.attempts]
    assert kinds == [*fault.tries, *([fault.kind] if fault.kind else [])]
    assert met.error is None or fault.words in met.error.message
    assert fault.kept is None or met.attempts[-1].content == fault.kept
    assert {key: plain(getattr(met, key)) for key in fault.turn} == {
        key: plain(type(getattr(met, key))(**value) if isinstance(value, dict) else value)
        for key, value in fault.turn.items()
    }
    assert met.seconds < (len(fault.tries) + 1) * WHOLE + SLACK
    # what failed is sent to nobody
    assert ("ben: " in json.dumps(messages_of(transcript, last))) is (not fault.kind)


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.kind == "too_large"], ids=lambda fault: fault.name
)
def test_memory_is_bounded(fault: Fault, tmp_path: Path) -> None:
    """Neither a flood nor a line of 100 MB is kept."""
    with StandIn([Model("demo:1b")]) as server:
        server.script(Say("The first."), *fault.behaviours, Say("The last."))
        tracemalloc.start()
        try:
            played(tmp_path, Ollama(server.url, max_reply=MAX_REPLY))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 30_000_000


class Elsewhere(httpx.AsyncHTTPTransport):
    """Sends the ``which``-th request for a reply to another port."""

    def __init__(self, which: range, port: int) -> None:
        super().__init__()
        self._which, self._port, self._count = which, port, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if b'"messages"' in request.content:
            self._count += 1
            if self._count in self._which:
                request.url = request.url.copy_with(port=self._port)
        return await super().handle_async_request(request)


@contextmanager
def deaf() -> Iterator[int]:
    """A port where a connection is never taken: its queue is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
            waiting.append(one)
        time.sleep(0.05)
        yield listening.getsockname()[1]
        for one in waiting:
            one.close()


def test_a_hang_at_connect_is_tried_again(tmp_path: Path) -> None:
    """A server that does not take the connection in time may do so a moment later."""
    with StandIn([Model("demo:1b")]) as server, deaf() as port:
        server.script(Say("The first."), Say("Ja."), Say("The last."))
        transcript = played(tmp_path, Ollama(server.url, connect=0.2, transport=Elsewhere(range(2, 3), port)))
    assert [turn.content for turn in transcript.turns] == ["The first.", "Ja.", "The last."]
    [attempt] = transcript.turns[1].attempts
    assert attempt.error.kind == "unreachable"
    assert "did not take the connection in time" in attempt.error.message


def test_a_server_that_hangs_at_connect_for_good_ends_it(tmp_path: Path) -> None:
    """It has gone away: whoever would speak next could not be asked either; what was said is kept."""
    with StandIn([Model("demo:1b")]) as server, deaf() as port:
        server.script(Say("The first."))
        transcript = played(tmp_path, Ollama(server.url, connect=0.2, transport=Elsewhere(range(2, 9), port)))
    assert (transcript.status, transcript.ended_by.reason) == ("failed", "error")
    first, met = transcript.turns
    assert first.content == "The first."
    assert met.error is not None
    assert met.error.kind == "unreachable"
    assert len(met.attempts) == 3
    assert met.seconds < 3 * 0.2 + SLACK


def test_clocks_that_step_do_no_harm(tmp_path: Path) -> None:
    """Neither the server's time nor ours has a say in how long anything may take."""
    steps = itertools.cycle([0, -86_400, 3_600, 30 * 86_400])

    def server_time() -> int:
        return time.time_ns() + next(steps) * 10**9

    def our_time() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=next(steps))

    with StandIn([Model("demo:1b")], clock=server_time) as server:
        server.script(Say("The first."), Say("Ja.", gap=0.05), Say("The last."))
        transcript = played(tmp_path, Ollama(server.url), our_time)
        assert server.load_counts == {"demo:1b": 1}
    assert [turn.content for turn in transcript.turns] == ["The first.", "Ja.", "The last."]
    assert all(0 <= turn.seconds < SLACK for turn in transcript.turns)
    assert all(figure is None or figure >= 0 for turn in transcript.turns for figure in _figures(turn))


def _figures(turn: Any) -> list[float | None]:
    latency = turn.latency
    return [latency.total, latency.load, latency.first_token, latency.prompt, latency.generation, latency.wait]
