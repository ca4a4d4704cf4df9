"""Models stay loaded for as long as the conversation needs them, and no longer than the server would have kept them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import respx

import llm_gc
from llm_gc.backends.http._httpx import httpx
from llm_gc.backends.ollama import Ollama
from llm_gc.backends.ollama.loaded_models import DEFAULT, FOREVER, KeepAlive
from tests.backends.ollama.asking import URL, an_ask, answered, done, lines, run
from tests.standin import Hang, Model, Say, StandIn
from tests.standin.engine import Request
from tests.standin.server import PATIENCE

DEMO, OTHER = Model("demo:1b"), Model("other:7b")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def kept(requests: list[Request]) -> list[tuple[str, Any]]:
    """The path of each request that says how long its model is to stay, and for how long."""
    return [(r.json["model"], r.json["keep_alive"]) for r in requests if r.json and "keep_alive" in r.json]


def listing(expires_at: Any, name: str = "demo:1b") -> dict[str, Any]:
    """What /api/ps tells of one model."""
    return {"models": [{"name": name, "model": name, "expires_at": expires_at}]}


@pytest.mark.parametrize(
    ("expires_at", "loaded", "before"),
    [
        ("2026-01-02T12:10:00Z", True, 600),
        ("2026-01-02T12:00:04.1234567Z", True, 5),
        ("2026-01-02T14:00:20+02:00", True, 20),
        ("2026-01-02T12:00:20Z", False, DEFAULT),
        ("2026-01-02T12:30:00Z", False, 1800),
        ("2318-01-02T12:00:00Z", True, FOREVER),
        ("2026-01-02T11:00:00Z", True, 1),
        ("soon", True, DEFAULT),
        (None, True, DEFAULT),
    ],
)
def test_what_the_server_would_do_is_learnt(expires_at: Any, loaded: bool, before: int) -> None:
    """It is the time that is left right after a load; what somebody else had loaded gets the usual time at least."""
    keeping = KeepAlive(lambda: 0.0)
    keeping.learn(listing(expires_at), NOON, "demo:1b", loaded=loaded)
    keeping.ask(an_ask())
    assert keeping.given_back() == [("demo:1b", {}, before)]


def test_what_we_asked_for_is_not_taken_for_the_servers_own() -> None:
    """Once the server has been told how long to keep a model, its list says nothing about its habits."""
    keeping = KeepAlive(lambda: 0.0)
    keeping.ask(an_ask())
    keeping.learn(listing("2026-01-02T14:00:00Z"), NOON, "demo:1b", loaded=True)
    assert keeping.given_back() == [("demo:1b", {}, DEFAULT)]


def test_a_model_stays_for_longer_than_another_one_can_take() -> None:
    """The time is twice that of a load and a reply at a token a second, and never below the server's usual one."""
    assert KeepAlive(lambda: 0.0).ask(an_ask(timeout=30, load_timeout=300)) == 2 * (300 + 30 + 64)
    assert KeepAlive(lambda: 0.0).ask(an_ask(timeout=30, load_timeout=300, reply_time=40)) == 2 * (300 + 40)
    assert KeepAlive(lambda: 0.0).ask(an_ask(timeout=1, load_timeout=1)) == DEFAULT


@pytest.mark.parametrize("usual", [40.0, 7200.0])
def test_models_are_given_back(usual: float) -> None:
    """At the end the server has again what it would have done by itself, and nothing was loaded for that."""
    with StandIn([DEMO, OTHER], keep_alive=usual) as server:
        run(answered(Ollama(server.url), an_ask(), an_ask("other:7b"), an_ask()))
        assert kept(server.requests) == [
            ("demo:1b", 300),
            ("other:7b", 300),
            ("demo:1b", 300),
            ("demo:1b", usual),
            ("other:7b", usual),
        ]
        assert server.load_counts == {"demo:1b": 1, "other:7b": 1}


def test_a_model_that_is_gone_is_not_loaded_to_be_given_back() -> None:
    """Where the server has let go of a model meanwhile, it is left alone."""
    with StandIn([DEMO, OTHER], max_loaded=1) as server:
        run(answered(Ollama(server.url), an_ask(), an_ask("other:7b")))
        assert kept(server.requests)[2:] == [("other:7b", 300)]
        assert server.load_counts == {"demo:1b": 1, "other:7b": 1}


def test_nobody_is_asked_to_keep_what_nobody_used() -> None:
    """A backend that answered nothing says no farewell."""
    with StandIn([DEMO]) as server:
        run(answered(Ollama(server.url)))
        assert server.requests == []


def test_a_server_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The farewell is bounded, whatever the server does."""
    monkeypatch.setattr("llm_gc.backends.ollama.loaded_models.FAREWELL", 0.1)
    with StandIn([DEMO]) as server:
        server.script(Say("Yes."))

        async def go() -> None:
            ollama = Ollama(server.url)
            await ollama.reply(an_ask())
            server.intercept("/api/ps", Hang())
            await ollama.aclose()

        run(go())
        assert server.requests[-1].path == "/api/ps"
        assert server.requests[-1].gone.wait(PATIENCE)


def test_a_model_that_would_go_meanwhile_is_kept() -> None:
    """Before a long reply of another model it is told to stay, if the server still holds it."""
    now = [0.0]
    with StandIn([DEMO, OTHER]) as server:

        async def go() -> None:
            ollama = Ollama(server.url, clock=lambda: now[0])
            await ollama.reply(an_ask(options={"num_ctx": 512}))
            now[0] += 295
            before = len(server.requests)
            await ollama.reply(an_ask("other:7b"))
            assert kept(server.requests[before:]) == [("demo:1b", 300), ("other:7b", 300)]
            [renewal] = [
                r
                for r in server.requests[before:]
                if r.json and r.json.get("keep_alive") and not r.json.get("messages")
            ]
            assert renewal.json["options"] == {"num_ctx": 512}
            await ollama.aclose()

        run(go())
        assert server.load_counts == {"demo:1b": 1, "other:7b": 1}


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000"])
def test_the_servers_clock_counts(zone: str) -> None:
    """What is left of a model's time is told by the server's own time, not by ours."""
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        router.post("/api/show").respond(json={"capabilities": ["completion"]})
        answers = [{"models": []}, listing("2001-01-01T00:01:00Z"), listing("2001-01-01T00:01:00Z")]
        date = {"date": f"Mon, 01 Jan 2001 00:00:00 {zone}"}
        router.get("/api/ps").mock(side_effect=[httpx.Response(200, json=one, headers=date) for one in answers])
        chat = router.post("/api/chat")
        chat.mock(side_effect=[httpx.Response(200, content=lines(done("x"))) for _ in range(3)])
        run(answered(Ollama(), an_ask()))
        assert [b'"keep_alive": 60' in call.request.content for call in chat.calls] == [False, False, True]


def test_reloads_are_counted(tmp_path: Path) -> None:
    """Where a server holds one model alone, each change back is a reload; the transcript says how many there were."""
    pipeline = tmp_path / "two.yaml"
    pipeline.write_text(
        "name: two\nopening: Talk.\nturns: [{repeat: [anna, ben], times: 2}]\n"
        "roles: {anna: {model: 'demo:1b', num_ctx: 512}, ben: {model: 'other:7b', num_ctx: 512}}\n"
    )
    for most, reloads in ((1, 2), (2, 0)):
        models = [replace(model, load_seconds=0.12) for model in (DEMO, OTHER)]
        with StandIn(models, max_loaded=most) as server:
            transcript = llm_gc.run(pipeline, host=server.url, sessions=tmp_path)
            assert sum(server.load_counts.values()) == 2 + reloads
        assert transcript.totals.reloads == reloads


@pytest.mark.parametrize("window", [None, 512])
def test_a_server_that_keeps_nothing(tmp_path: Path, window: int | None) -> None:
    """Its habit shows when a model is gone right after its load; it keeps it for the run, and lets go of it then."""
    pipeline = tmp_path / "one.yaml"
    options = f", num_ctx: {window}" if window else ""
    pipeline.write_text(
        "name: one\nopening: Talk.\nturns: [anna, {say: anna, instruction: Go on.}]\n"
        f"roles: {{anna: {{model: 'demo:1b'{options}}}}}\n"
    )
    with StandIn([DEMO], keep_alive=0.0) as server:
        transcript = llm_gc.run(pipeline, host=server.url, sessions=tmp_path)
        assert server.load_counts == {"demo:1b": 2}
        assert kept(server.requests)[-1] == ("demo:1b", 0)
    assert transcript.totals.reloads == 0
    assert transcript.pipeline.document["roles"]["anna"]["num_ctx"] == (window or 4096)


def test_a_run_that_is_stopped_gives_its_models_back(tmp_path: Path) -> None:
    """As one that has ended does."""
    pipeline = tmp_path / "one.yaml"
    pipeline.write_text("name: one\nopening: Talk.\nturns: [anna]\nroles: {anna: {model: 'demo:1b', num_ctx: 512}}\n")
    with StandIn([DEMO], keep_alive=40.0) as server:
        server.script(Hang())

        async def go() -> None:
            task = asyncio.create_task(llm_gc.run_async(pipeline, host=server.url, sessions=tmp_path))
            await asyncio.to_thread(server.wait_for_chats, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        run(go())
        assert server.chats[0].gone.wait(PATIENCE)
        assert kept(server.requests)[-1] == ("demo:1b", 40)
