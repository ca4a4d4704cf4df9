"""Thinking from one end to the other: asked for as the model can, read wherever it comes, and heard by nobody."""

from __future__ import annotations

from typing import Any

import pytest

import llm_gc
from tests.standin import Model, Say, StandIn

GPT_OSS = Model("gpt-oss:20b", capabilities=("completion", "thinking"), family="gptoss")
PLAIN = Model("plain:1b")
REPLIES = [
    "<thought>SECRET plan: say hi.</thought>\n\nHello there.",
    "<|channel|>analysis<|message|>SECRET plan.<|end|><|start|>assistant<|channel|>final<|message|>Hello there.",
    "[THINK]SECRET plan: say hi.[/THINK]Hello there.",
    "<|channel>thought\nSECRET plan: say hi.\n<channel|>Hello there.",
    "<seed:think>SECRET plan: say hi.</seed:think>Hello there.",
    "<reasoning>SECRET plan</reasoning>\nHello there.",
    "SECRET plan: say hi.</think>\n\nHello there.",
]


def pipeline(tmp_path: Any, anna: str, ben: str = "") -> str:
    """Write a pipeline of these roles, and return its path."""
    file = tmp_path / "talk.yaml"
    roles = f"roles:\n  anna: {{{anna}}}\n" + (f"  ben: {{{ben}}}\n" if ben else "")
    turns = "[anna, ben]" if ben else "[anna]"
    file.write_text(f"name: talk\n{roles}opening: Begin.\nturns: {turns}\nseed: 1\n", encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("reply", REPLIES)
def test_nobody_hears_what_a_model_only_thought(tmp_path: Any, reply: str) -> None:
    """Whatever its marks are: the others are sent the words, the record has the thinking."""
    file = pipeline(tmp_path, "model: plain:1b, label: Anna", "model: plain:1b")
    with StandIn([PLAIN]) as server:
        server.script(Say(reply), Say("Yes."))
        transcript = llm_gc.run(file, host=server.url, sessions=tmp_path)
        sent = server.chats[1].json["messages"]
    assert "Anna: Hello there." in str(sent)
    assert "SECRET" not in str(sent)
    assert "SECRET" in transcript.turns[0].thinking


def test_gpt_oss_is_asked_with_a_level_and_gives_its_structured_reply(tmp_path: Any) -> None:
    """Told not to think, it would answer with nothing."""
    file = pipeline(tmp_path, "model: gpt-oss:20b, format: {joke: {type: string}}")
    with StandIn([GPT_OSS]) as server:
        transcript = llm_gc.run(file, host=server.url, sessions=tmp_path)
        assert [chat.json["think"] for chat in server.chats] == ["low"]
    assert transcript.status == "completed"
    assert transcript.turns[0].data["joke"]


@pytest.mark.parametrize("backend", ["ollama", "openai"])
def test_a_structured_reply_that_comes_as_thinking_is_read_there(tmp_path: Any, backend: Any) -> None:
    """A server that waits for an end of thinking takes all of the data for it."""
    file = pipeline(tmp_path, "model: plain:1b, format: {joke: {type: string}}")
    with StandIn([PLAIN]) as server:
        server.script(Say("", thinking='{"joke": "x"}'))
        host = server.url + ("/v1" if backend == "openai" else "")
        transcript = llm_gc.run(file, host=host, backend=backend, sessions=tmp_path)
    [turn] = transcript.turns
    assert (turn.content, turn.data, turn.thinking) == ('{"joke": "x"}', {"joke": "x"}, "")


def test_thinking_that_fits_no_format_is_none(tmp_path: Any) -> None:
    """Then the turn fails, and says that all that came was thinking."""
    file = pipeline(tmp_path, "model: plain:1b, format: {joke: {type: string}}")
    with StandIn([PLAIN]) as server:
        server.script(*[Say("", thinking="We need a joke.")] * 3)
        transcript = llm_gc.run(file, host=server.url, sessions=tmp_path)
    error = transcript.turns[0].error
    assert error is not None
    assert (
        error.message == "The model gave no reply: all that came was thinking, and nothing in it that fits the format."
    )
