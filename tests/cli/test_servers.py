"""``llm-gc run`` against servers of several kinds, and one host for all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import M1, llm_gc, transcripts
from tests.standin import Error, Model, Say, StandIn

KEY = "sk-very-secret-0123456789"
MODELS = [Model("qwen2.5-coder:1.5b"), Model("deepseek-coder:1.3b")]

PIPELINE = """
name: mixed
roles:
  anna: {{model: "demo:1b", prompt: You plan., host: "{ollama}"}}
  ben: {{model: "demo:1b", prompt: You judge., backend: openai, host: "{openai}"}}
opening: Plan it.
turns: [anna, ben, anna]
"""


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A server that has both models of M1."""
    with StandIn(MODELS) as running:
        yield running


def test_m1_on_an_openai_server(server: StandIn, tmp_path: Path) -> None:
    """`--backend openai` plays every role there; the transcript says so, and the key is nowhere in it."""
    server.script(Say("A plan."), Say("APPROVED"))
    result = llm_gc(
        "run", M1, "--task", "x", "--backend", "openai", "--host", server.url, cwd=tmp_path, OPENAI_API_KEY=KEY
    )
    assert result.code == 0, result.err
    assert {chat.path for chat in server.chats} == {"/v1/chat/completions"}
    assert all(chat.headers["authorization"] == f"Bearer {KEY}" for chat in server.chats)
    [transcript] = transcripts(tmp_path)
    assert transcript["versions"]["backend"] == "openai"
    assert [turn["content"] for turn in transcript["turns"]] == ["A plan.", "APPROVED"]
    assert transcript["turns"][0]["tokens"]["prompt"] == server.chats[0].prompt_tokens
    roles = transcript["pipeline"]["document"]["roles"].values()
    assert {(role["backend"], role["host"]) for role in roles} == {("openai", server.url)}
    assert KEY not in json.dumps(transcript) + result.out + result.err


def test_one_role_here_and_one_there(tmp_path: Path) -> None:
    """Each is asked of its own kind of server; a host that only the file names is shown no key."""
    with StandIn([Model("demo:1b")]) as ollama, StandIn([Model("demo:1b", size=1)]) as openai:
        ollama.script(Say("A plan."), Say("A better plan."))
        openai.script(Say("No."))
        text = PIPELINE.format(ollama=ollama.url, openai=openai.url)
        (tmp_path / "mixed.yaml").write_text(text, encoding="utf-8")
        result = llm_gc("run", "mixed.yaml", cwd=tmp_path, OPENAI_API_KEY=KEY)
        assert result.code == 0, result.err
        assert [chat.path for chat in ollama.chats] == ["/api/chat", "/api/chat"]
        assert [chat.path for chat in openai.chats] == ["/v1/chat/completions"]
        assert "authorization" not in {name.lower() for request in openai.requests for name in request.headers}
    assert result.out.splitlines() == ["anna: A plan.", "ben: No.", "anna: A better plan."]
    [transcript] = transcripts(tmp_path)
    assert transcript["versions"]["backend"] == "ollama, openai"


def test_one_host_for_all_is_one_server(server: StandIn, tmp_path: Path) -> None:
    """Roles that name other hosts share its load options, and its limit on requests in flight."""
    two = """
name: two
roles:
  anna: {model: "qwen2.5-coder:1.5b", prompt: You plan., host: "http://a.example", num_ctx: 1024}
  ben: {model: "qwen2.5-coder:1.5b", prompt: You judge., host: "http://b.example"}
opening: Plan it.
turns: [{parallel: [anna, ben]}, anna, ben]
"""
    (tmp_path / "two.yaml").write_text(two, encoding="utf-8")
    server.script(Say("One.", before=0.2), Say("Two."), Say("Three."), Say("Four."))
    result = llm_gc("run", "two.yaml", "--host", server.url, cwd=tmp_path)
    assert result.code == 0, result.err
    first, second, *_ = server.chats
    assert first.answered.is_set()
    assert second.arrived_at - first.arrived_at >= 0.2
    assert {chat.json["options"]["num_ctx"] for chat in server.chats} == {1024}
    assert server.load_counts == {"qwen2.5-coder:1.5b": 1}
    [transcript] = transcripts(tmp_path)
    assert {role["host"] for role in transcript["pipeline"]["document"]["roles"].values()} == {server.url}


def test_a_password_in_the_host_is_not_recorded(server: StandIn, tmp_path: Path) -> None:
    """The address is, so that the run can be repeated."""
    host = server.url.replace("http://", "http://me:hunter2@")
    result = llm_gc("run", M1, "--task", "x", "--rounds", "1", "--host", host, cwd=tmp_path)
    assert result.code == 0, result.err
    [transcript] = transcripts(tmp_path)
    assert "hunter2" not in json.dumps(transcript) + result.err
    assert transcript["pipeline"]["document"]["roles"]["reviewer"]["host"] == server.url


def test_nobody_says_where_the_server_is(tmp_path: Path) -> None:
    """There is no usual place for such a server: that is a wrong call, and says what to give."""
    result = llm_gc("run", M1, "--task", "x", "--backend", "openai", cwd=tmp_path)
    assert result.code == 2
    assert "give --host, a `host` in the role, or OPENAI_BASE_URL" in result.err


def test_a_run_with_a_host_of_its_own_goes_on_elsewhere(tmp_path: Path) -> None:
    """Where its models were is no change of its pipeline: it is resumed and played again without a word about that."""
    with StandIn(MODELS) as first:
        first.script(Say("A plan."))
        first.script(*(Error(503, "busy") for _ in range(3)))
        result = llm_gc(
            "run", M1, "--task", "x", "--set", "limits.on_error=stop", "--host", first.url, "--backend", "ollama",
            cwd=tmp_path,
        )  # fmt: skip
        assert result.code == 1, result.err
    with StandIn(MODELS) as second:
        second.script(Say("APPROVED"))
        result = llm_gc("resume", "last", "--host", second.url, cwd=tmp_path)
        assert result.code == 0, result.err
        assert [chat.path for chat in second.chats] == ["/api/chat"]
    assert "changed" not in result.err
    [transcript] = transcripts(tmp_path)
    assert [turn["content"] for turn in transcript["turns"]] == ["A plan.", "APPROVED"]
    assert {f"--host {first.url}", "--backend ollama"} < set(transcript["pipeline"]["overrides"])
    replayed = llm_gc("replay", "last", cwd=tmp_path)
    assert replayed.code == 0, replayed.err
