"""What is found out before the first turn, and what is said where something is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import respx

from llm_gc.backends.http._httpx import httpx
from llm_gc.backends.interface import Facts, Notify, ignore
from llm_gc.backends.ollama import Ollama
from llm_gc.errors import LlmGcError, ModelMissing, ServerError, ServerUnreachable
from llm_gc.protocol import ModelConfig, Reply
from tests.backends.ollama.asking import URL, Notes, an_ask, answered, never, run
from tests.standin import Model, Say, StandIn

DEMO = Model("demo:1b", context=8192)
OTHER = Model("other:7b", context=2048)


def found(ollama: Ollama, *castings: ModelConfig, load_timeout: float = 5.0, notify: Notify = ignore) -> Facts:
    """The facts about some castings; the backend is closed at the end."""

    async def go() -> Facts:
        try:
            return await ollama.preflight(castings, load_timeout, notify)
        finally:
            await ollama.aclose()

    return run(go())


def refused(ollama: Ollama, *castings: ModelConfig, load_timeout: float = 5.0) -> LlmGcError:
    """The error that the preflight of some castings ends with."""
    with pytest.raises(LlmGcError) as caught:
        found(ollama, *(castings or [ModelConfig("demo:1b")]), load_timeout=load_timeout)
    return caught.value


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    """A server at the default address that has one model."""
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        router.get("/api/version", name="version").respond(json={"version": "0.33.0"})
        router.get("/api/tags", name="tags").respond(json={"models": [{"name": "demo:1b", "digest": "9f"}]})
        router.post("/api/show", name="show").respond(json={"capabilities": ["completion"], "model_info": {}})
        router.get("/api/ps", name="ps").respond(json={"models": [{"name": "demo:1b", "context_length": 4096}]})
        router.post("/api/chat", name="chat").respond(json={"done": True, "done_reason": "load"})
        yield router


def test_the_facts_are_found() -> None:
    """Version, digest, abilities and the trained length of each model, by host and name as they were cast."""
    thinker = replace(OTHER, capabilities=("completion", "thinking"))
    declared = {"num_ctx": 1024}
    with StandIn([DEMO, thinker], version="0.33.0-rc2") as server:
        castings = [ModelConfig("demo:1b", options=declared), ModelConfig("Other:7B", server.url, declared)]
        facts = found(Ollama(environ={"OLLAMA_HOST": server.url}), *castings)
        assert server.loads == []
    assert (facts.backend, facts.server) == ("ollama", "0.33.0-rc2")
    demo, other = facts.models[None, "demo:1b"], facts.models[server.url, "Other:7B"]
    assert (demo.digest, demo.capabilities, demo.context_length) == (DEMO.digest, ("completion",), 8192)
    assert (other.digest, other.capabilities, other.context_length) == (
        thinker.digest,
        ("completion", "thinking"),
        2048,
    )
    assert demo.num_ctx is other.num_ctx is None


def test_each_thing_is_asked_once() -> None:
    """Many castings of few models cost one version, two lists, and one look at each model."""
    with StandIn([DEMO, OTHER]) as server:
        castings = [ModelConfig(name, options={"num_ctx": 512}) for name in ("demo:1b", "other:7b") * 5]
        found(Ollama(server.url), *castings)
        paths = sorted(request.path for request in server.requests)
    assert paths == ["/api/ps", "/api/show", "/api/show", "/api/tags", "/api/version"]


def test_no_castings_need_no_server() -> None:
    """Where nobody is cast, nobody is looked for."""
    assert found(Ollama("127.0.0.1:1")) == Facts("ollama")


def test_several_servers_are_asked_at_the_same_time() -> None:
    """Two servers that take their time are not waited for one after the other."""
    with StandIn([DEMO], version="1") as one, StandIn([DEMO], version="2") as two:
        castings = [ModelConfig("demo:1b", server.url, {"num_ctx": 512}) for server in (one, two, one)]
        facts = found(Ollama(), *castings)
    assert facts.server == "1, 2"
    assert list(facts.models) == [(one.url, "demo:1b"), (two.url, "demo:1b")]


def test_the_flag_goes_before_a_castings_host() -> None:
    """With a host of its own the backend asks nobody else."""
    with StandIn([DEMO]) as server:
        facts = found(Ollama(server.url), ModelConfig("demo:1b", "127.0.0.1:1", {"num_ctx": 512}))
    assert facts.models["127.0.0.1:1", "demo:1b"].digest == DEMO.digest


def test_what_the_server_holds_decides_no_window() -> None:
    """Neither a window in which somebody else had the model loaded, nor the server's own one."""
    with StandIn([DEMO], context=2048) as server:
        run(answered(Ollama(server.url), an_ask(options={"num_ctx": 1024, "num_predict": 8})))
        notes = Notes()
        facts = found(Ollama(server.url), ModelConfig("demo:1b"), notify=notes)
        assert server.load_counts == {"demo:1b": 1}
    assert facts.models[None, "demo:1b"].num_ctx == 8192
    assert (notes, facts.warnings) == ([], ())


@pytest.mark.parametrize(
    ("needs", "trained", "window", "words"),
    [
        ([0], 32768, 4096, ""),
        ([4096], 32768, 4096, ""),
        ([4097], 32768, 8192, ""),
        ([100, 8192], 32768, 8192, ""),
        ([None, 100], 32768, 8192, ""),
        ([9000, 100], 32768, 8192, "Write num_ctx: 16384 if"),
        ([9000], 10000, 8192, "Write num_ctx: 10000 if"),
        ([9000], 8192, 8192, "it was trained for no more"),
        ([3000], 2048, 2048, "it was trained for no more"),
        ([100], 2048, 2048, ""),
    ],
)
def test_a_window_that_nobody_gives_is_what_can_be_needed(
    needs: list[int | None], trained: int, window: int, words: str
) -> None:
    """Between 4,096 and 8,192 tokens, and no more than the model was trained for; a larger need is told."""
    with StandIn([replace(DEMO, context=trained)]) as server:
        facts = found(Ollama(server.url), *(ModelConfig("demo:1b", needs=one) for one in needs))
        assert server.loads == []
    assert facts.models[None, "demo:1b"].num_ctx == window
    assert bool(facts.warnings) is bool(words)
    assert words in " ".join(facts.warnings)


def test_the_window_of_the_models_own_parameters_is_taken() -> None:
    """A model that brings its window along need not be loaded to know it."""
    with StandIn([replace(DEMO, parameters={"stop": ["num_ctx 7"], "num_ctx": 3072})]) as server:
        facts = found(Ollama(server.url), ModelConfig("demo:1b"))
        assert server.loads == []
    assert facts.models[None, "demo:1b"].num_ctx == 3072


def test_a_casting_that_declares_its_window_does_not_hide_one_that_does_not() -> None:
    """One open casting is enough for the window to be settled."""
    with StandIn([DEMO]) as server:
        castings = ModelConfig("demo:1b", options={"num_ctx": 512}, needs=9000), ModelConfig("demo:1b", needs=100)
        facts = found(Ollama(server.url), *castings)
    assert facts.models[None, "demo:1b"].num_ctx == 4096
    assert facts.warnings == ()


def test_an_old_server_that_tells_nothing_is_no_error(router: respx.MockRouter) -> None:
    """The window is settled without it."""
    router["show"].respond(json={})
    router["tags"].respond(json={"models": [{"model": "demo:1b"}]})
    facts = found(Ollama(), ModelConfig("demo:1b")).models[None, "demo:1b"]
    assert (facts.num_ctx, facts.digest, facts.capabilities, facts.context_length) == (8192, None, (), None)


def test_all_missing_models_are_named_at_once() -> None:
    """Each missing model is on a line with the command that gets it, those of all servers together."""
    with StandIn([DEMO]) as here, StandIn() as there:
        names = ("demo:1b", "a:1b", "b")
        castings = [ModelConfig(name) for name in names] + [ModelConfig("c:7b", there.url)]
        error = refused(Ollama(environ={"OLLAMA_HOST": here.url}), *castings)
    assert isinstance(error, ModelMissing)
    assert str(error).splitlines() == [
        f"{here.url} does not have a:1b and b. Get what is missing with:",
        f"  OLLAMA_HOST={here.url} ollama pull a:1b",
        f"  OLLAMA_HOST={here.url} ollama pull b",
        f"{there.url} does not have c:7b. Get what is missing with:",
        f"  OLLAMA_HOST={there.url} ollama pull c:7b",
    ]


def test_at_the_default_address_a_pull_needs_no_host(router: respx.MockRouter) -> None:
    """The command is as short as it can be."""
    assert str(refused(Ollama(), ModelConfig("a:1b"))).endswith("\n  ollama pull a:1b")


@pytest.mark.parametrize("name", ["big:cloud", "big:120b-cloud", "far:1b"])
def test_cloud_models_are_refused(router: respx.MockRouter, name: str) -> None:
    """A model that ollama.com would play is refused, known by its name or by what the server says of it."""
    far = {"name": "far:1b", "remote_host": "https://ollama.com:443"}
    router["tags"].respond(json={"models": [far, {"name": "big:cloud"}]})
    error = refused(Ollama(), ModelConfig(name))
    assert isinstance(error, ModelMissing)
    assert "ollama.com" in str(error)
    assert name in str(error)
    assert "pull" not in str(error)


def test_a_model_that_cannot_chat_is_refused() -> None:
    """An embedding model is found out before the first turn."""
    with StandIn([replace(DEMO, capabilities=("embedding",))]) as server:
        error = refused(Ollama(server.url))
    assert isinstance(error, ServerError)
    assert "demo:1b" in str(error)
    assert "embedding" in str(error)


@pytest.mark.parametrize(
    ("ollama", "castings", "source"),
    [
        (Ollama("127.0.0.1:1"), [], "--host"),
        (Ollama(environ={"OLLAMA_HOST": "127.0.0.1:1"}), [], "OLLAMA_HOST"),
        (Ollama(), [ModelConfig("demo:1b", "127.0.0.1:1")], "a role's host"),
    ],
)
def test_an_absent_server_says_where_it_was_looked_for(
    ollama: Ollama, castings: list[ModelConfig], source: str
) -> None:
    """The message has the address, what named it, why, and the two ways out."""
    error = refused(ollama, *castings)
    assert isinstance(error, ServerUnreachable)
    assert error.exit_code == 3
    message = str(error)
    for words in (f"http://127.0.0.1:1 ({source})", "connection refused", "ollama serve", "--host", "OLLAMA_HOST"):
        assert words in message
    assert message.endswith("or point elsewhere with --host or OLLAMA_HOST.")


def test_the_default_address_is_called_so() -> None:
    """Where nothing was named, the message says so."""
    with respx.mock(base_url=URL) as router:
        router.get("/api/version").mock(side_effect=httpx.ConnectError("no"))
        assert "(the default address): no." in str(refused(Ollama()))


def test_an_odd_address_is_part_of_the_message() -> None:
    """A bad port that was replaced may be the reason; it is warned of in any case."""
    ollama = Ollama(environ={"OLLAMA_HOST": "127.0.0.1:nine"})
    with respx.mock(base_url=URL) as router:
        router.get("/api/version").mock(side_effect=httpx.ConnectError("no"))
        assert "'nine' in '127.0.0.1:nine' is no port" in str(refused(ollama))
    assert ollama.warnings == ("OLLAMA_HOST: 'nine' in '127.0.0.1:nine' is no port; 11434 is used instead",)


def test_a_silent_server_is_absent() -> None:
    """Whoever says nothing in time is not there."""
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        router.get("/api/version").mock(side_effect=never)
        error = refused(Ollama(connect=0.05))
    assert isinstance(error, ServerUnreachable)
    assert "no answer within 0.05s" in str(error)


def test_a_server_that_stops_answering_is_an_error(router: respx.MockRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is there, but never says what it has, is not waited for without end."""
    monkeypatch.setattr("llm_gc.backends.ollama.server_info.PATIENCE", 0.05)
    router["tags"].mock(side_effect=never)
    assert "did not say what it has within 0.05s" in str(refused(Ollama()))


def test_an_answer_without_end_is_an_error(router: respx.MockRouter, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is read beyond a bound."""
    monkeypatch.setattr("llm_gc.backends.http.server.ANSWER_BODY", 1000)
    router["show"].respond(json={"license": "x" * 1000})
    assert "too large" in str(refused(Ollama()))


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (httpx.Response(404, html="<h1>no</h1>"), ServerUnreachable, "something else (HTTP 404, text/html"),
        (httpx.Response(200, html="<h1>hi</h1>"), ServerUnreachable, "something else (HTTP 200"),
        (httpx.Response(200, json={"v": 1}), ServerUnreachable, "something else"),
        (httpx.Response(200, json={"version": 1}), ServerUnreachable, "something else"),
        (httpx.Response(200, json=["version"]), ServerUnreachable, "something else"),
        (httpx.RemoteProtocolError("illegal status line"), ServerUnreachable, "illegal status line"),
        (httpx.Response(403), ServerError, "Host or Origin"),
        (httpx.Response(401, json={"error": "unauthorized"}), ServerError, "unauthorized"),
        (httpx.Response(302, headers={"location": "https://gpu/"}), ServerError, "https://gpu/"),
        (httpx.Response(500, json={"error": "no disk"}), ServerError, "no disk"),
        (httpx.Response(503, text="busy"), ServerError, "busy"),
    ],
)
def test_what_is_no_ollama_is_told_from_one_that_fails(
    router: respx.MockRouter, answer: Any, kind: type[LlmGcError], words: str
) -> None:
    """A foreign server counts as none, an error of the server is one; both end with 3."""
    side_effect = None if isinstance(answer, httpx.Response) else answer
    router["version"].mock(return_value=None if side_effect else answer, side_effect=side_effect)
    error = refused(Ollama())
    assert type(error) is kind
    assert words in str(error)
    assert error.exit_code == 3


@pytest.mark.parametrize("name", ["tags", "show"])
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(500, json={"error": "no disk"}), "no disk"),
        (httpx.Response(200, text="no json"), "JSON object"),
        (httpx.Response(200, json=[1]), "JSON object"),
        (httpx.ReadError("reset"), "reset"),
    ],
    ids=["500", "text", "list", "reset"],
)
def test_an_error_of_any_step_is_told(router: respx.MockRouter, name: str, answer: Any, words: str) -> None:
    """Whatever the server fails at is an error before the first turn, not a traceback."""
    if isinstance(answer, httpx.Response):
        router[name].mock(return_value=answer)
    else:
        router[name].mock(side_effect=answer)
    error = refused(Ollama())
    assert type(error) is ServerError
    assert words in str(error)
    assert "127.0.0.1:11434" in str(error)


@pytest.mark.parametrize(("think", "able", "warned"), [
    (True, ("completion",), True), ("high", ("completion",), True), (False, ("completion",), False),
    (None, ("completion",), False), (True, ("completion", "thinking"), False),
])  # fmt: skip
def test_a_model_that_cannot_think_is_told_of_before_the_first_turn(
    think: Any, able: tuple[str, ...], warned: bool
) -> None:
    """It would be refused in the middle of a run; so it is not asked to, and the run says so once."""
    casting = ModelConfig("demo:1b", options={"num_ctx": 512}, think=think)
    with StandIn([replace(DEMO, capabilities=able)]) as server:
        warnings = found(Ollama(server.url), casting, casting).warnings
    assert len(warnings) == warned
    assert not warned or "cannot think before it answers, so `think` is not sent to it" in warnings[0]


@pytest.mark.parametrize(
    ("model", "think", "words"),
    [
        ({"family": "gptoss"}, False, "always thinks, so `think: false` is sent as `low`"),
        ({"family": "gptoss"}, None, ""),
        ({"family": "gptoss"}, "high", ""),
        ({"parser": "qwen3.5"}, False, "would drop a `format` where it is told not to think (Ollama 0.30.7"),
        ({"parser": "qwen3.5"}, None, ""),
        ({"takes_levels": False}, "high", "takes no level of thinking, so `think: high` is sent as true"),
        ({"takes_levels": False, "family": "gptoss"}, "high", ""),
        ({"takes_levels": False}, True, ""),
        ({}, "high", ""),
    ],
)
def test_a_word_about_thinking_that_cannot_be_kept_is_told_before_the_first_turn(
    model: dict[str, Any], think: Any, words: str
) -> None:
    """What an author wrote either acts or is warned of; a level is tried with one token."""
    thinker = replace(DEMO, capabilities=("completion", "thinking"), **model)
    casting = ModelConfig("demo:1b", options={"num_ctx": 512}, think=think)
    with StandIn([thinker], version="0.30.7") as server:
        server.script(Say("x"))
        warnings = found(Ollama(server.url), casting, casting).warnings
        tries = [request.json for request in server.chats]
    assert [words in warning for warning in warnings] == [True] * bool(words)
    assert all(one["options"]["num_predict"] == 1 and one["think"] == think for one in tries)
    assert len(tries) <= (isinstance(think, str) and model.get("family") != "gptoss")


def test_a_level_that_was_refused_is_not_sent_again() -> None:
    """The turns think at no level in particular, and none of them fails for it."""
    thinker = replace(DEMO, capabilities=("completion", "thinking"), takes_levels=False)
    ask = an_ask(think="high")
    with StandIn([thinker]) as server:
        ollama = Ollama(server.url)

        async def both() -> Reply:
            await ollama.preflight([ask.casting], 5.0)
            return (await answered(ollama, ask))[0]

        reply = run(both())
        assert server.chats[-1].json["think"] is True
    assert reply.failure is None


@pytest.mark.parametrize("lacks", ["/api/show", "/api/ps"])
def test_an_emulator_that_does_not_know_all_requests_is_used(lacks: str) -> None:
    """What cannot be known of it is said once, before the first turn; it is asked for replies all the same."""

    async def go(ollama: Ollama) -> tuple[Facts, list[str]]:
        try:
            facts = await ollama.preflight([ModelConfig("demo:1b")], 5.0)
            return facts, [(await ollama.reply(an_ask())).content for _ in range(2)]
        finally:
            await ollama.aclose()

    with StandIn([DEMO], lacks=(lacks,)) as server:
        server.script(Say("Yes."), Say("No."))
        facts, said = run(go(Ollama(server.url)))
        paths = [request.path for request in server.requests]
    assert said == ["Yes.", "No."]
    [warning] = facts.warnings
    assert f"does not know {lacks}, as an Ollama server does" in warning
    assert paths.count(lacks) == 1


@pytest.mark.parametrize("end", ["/v1", "/api"])
def test_a_path_that_belongs_to_single_requests_is_named(end: str) -> None:
    """An address that was copied from a request says what to leave away of it."""
    with StandIn([DEMO]) as server, pytest.raises(ServerUnreachable) as caught:
        found(Ollama(None, environ={"OLLAMA_HOST": f"{server.url}{end}"}), ModelConfig("demo:1b"))
    assert f"leave {end} away from the address: {server.url}." in str(caught.value)
