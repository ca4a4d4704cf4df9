"""The context contract on a real socket: no prompt that a server would cut, on both of Ollama's prompt paths."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

import llm_gc
from llm_gc.transcript.records import Transcript
from tests import commands
from tests.standin import Model, Say, StandIn
from tests.standin.engine import Request
from tests.standin.prompts import build
from tests.standin.requests import chat, each_character, four_characters

WINDOW, TURNS = 768, 20
WORDS = "the kite goes up and the boat goes down and nobody says a word about the lamp "

paths = pytest.mark.parametrize("path", ["rendered", "native"])
tokenisers = pytest.mark.parametrize("tokens", [four_characters, each_character])
PromptPath = Literal["rendered", "native"]


def pipeline(folder: Path, **limits: Any) -> Path:
    """Write a pipeline of two roles that talk for longer than their window."""
    role = {"model": "m", "num_ctx": WINDOW, "max_tokens": 120}
    document = {
        "name": "long",
        "roles": {"anna": {**role, "prompt": "You are Anna."}, "ben": {**role, "prompt": "You are Ben."}},
        "opening": "Talk.",
        "turns": [{"repeat": ["anna", "ben"], "times": TURNS // 2}],
        "limits": {"max_turns": TURNS, **limits},
    }
    file = folder / "long.yaml"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def served(path: PromptPath, tokens: Callable[[str], int]) -> StandIn:
    """Return a server with such a model, and a script in which each turn can be told by its number."""
    server = StandIn([Model("m", path=path, tokens=tokens)])
    server.script(*(Say(f"<{number}> {WORDS * (2 + number % 4)}".strip()) for number in range(TURNS)))
    return server


def is_whole(request: Request, path: PromptPath, tokens: Callable[[str], int]) -> bool:
    """Return whether a server that may shorten would have left this request as it is."""
    model, body = Model("m", path=path, tokens=tokens), {**request.json, "truncate": True, "shift": True}
    prompt = build(model, chat(body), body["options"], WINDOW)
    return (prompt.text, prompt.tokens) == (request.prompt, request.prompt_tokens)


@paths
@tokenisers
def test_nothing_is_cut_and_the_figures_are_the_servers(
    path: PromptPath, tokens: Callable[[str], int], tmp_path: Path
) -> None:
    """What was kept, dropped and used of the window is what the server has got; its refusals are tries."""
    with served(path, tokens) as server:
        file = pipeline(tmp_path, on_overflow="drop_oldest")
        transcript: Transcript = llm_gc.run(file, host=server.url, sessions=tmp_path, seed=1)
        chats, sent = (
            server.chats,
            [one for one in server.requests if one.path == "/api/chat" and one.json.get("messages")],
        )
    assert (transcript.status, len(transcript.turns), len(chats)) == ("completed", TURNS, TURNS)
    assert all((one.json["truncate"], one.json["shift"]) == (False, False) for one in sent)
    assert all(one.json["options"]["num_ctx"] == WINDOW for one in sent)
    assert len(sent) - len(chats) == sum(len(turn.attempts) for turn in transcript.turns)
    for number, (turn, request) in enumerate(zip(transcript.turns, chats, strict=True)):
        assert turn.context is not None
        assert is_whole(request, path, tokens)
        assert [attempt.error.kind for attempt in turn.attempts] == ["overflow"] * len(turn.attempts)
        there = [earlier for earlier in range(number) if f"<{earlier}>" in request.prompt]
        assert there == list(range(number - len(there), number))
        assert (turn.context.kept, turn.context.dropped) == (len(there), number - len(there))
        assert turn.context.window == WINDOW
        assert turn.context.used == request.prompt_tokens + (turn.tokens.completion or 0)
        assert turn.context.used <= WINDOW
        assert "You are" in request.prompt
        assert "Talk." in request.prompt
        assert turn.warnings == ()
    assert transcript.turns[-1].context is not None
    assert transcript.turns[-1].context.dropped > 0


@paths
def test_what_is_counted_spares_refusals(path: PromptPath, tmp_path: Path) -> None:
    """With the tokens of common text, every drop but those right after a drop is made before anything is sent."""
    with served(path, four_characters) as server:
        transcript = llm_gc.run(pipeline(tmp_path, on_overflow="drop_oldest"), host=server.url, sessions=tmp_path)
    dropped = [turn.context.dropped for turn in transcript.turns if turn.context is not None]
    assert len(set(dropped)) > 2
    assert not any(turn.attempts for turn in transcript.turns)


@paths
@tokenisers
def test_stop_ends_it_in_time(path: PromptPath, tokens: Callable[[str], int], tmp_path: Path) -> None:
    """By the estimate or by the server's word: the conversation is stopped, and nothing was cut until then."""
    with served(path, tokens) as server:
        transcript = llm_gc.run(pipeline(tmp_path), host=server.url, sessions=tmp_path)
        assert all(is_whole(request, path, tokens) for request in server.chats)
    assert (transcript.status, transcript.ended_by.reason) == ("stopped", "overflow")
    assert "num_ctx" in transcript.ended_by.detail
    assert transcript.turns[-1].error is not None
    assert transcript.turns[-1].error.kind == "overflow"
    assert {turn.context.dropped for turn in transcript.turns if turn.context is not None} == {0}


def test_a_server_that_shortens_all_the_same_is_told_of(tmp_path: Path) -> None:
    """By its own figures: in the transcript, and on standard error."""
    with StandIn([Model("m")]) as server:
        server.script(Say("one"), Say(WORDS), Say("three", counters={"prompt_eval_count": 9}))
        file = pipeline(tmp_path, max_turns=3)
        result = commands.llm_gc("run", str(file), "--host", server.url, cwd=tmp_path)
    (transcript,) = commands.transcripts(tmp_path)
    (words,) = transcript["turns"][2]["warnings"]
    assert words.startswith("the server counted 9 tokens where there are at least")
    assert words in " ".join(result.err.split())
    assert result.code == 0
