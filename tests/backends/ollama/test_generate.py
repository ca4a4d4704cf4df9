"""Plain completion models: the conversation as one text that they continue from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import llm_gc
from llm_gc.transcript.records import Transcript
from tests.standin import EngineError, Model, Say, StandIn

BASE = "{model: 'base:1b', api: generate, prompt: Anna and Ben talk., label: %s, num_ctx: 512}"
FIRESIDE = f"""
name: fireside
roles:
  anna: {BASE % "Anna"}
  ben: {BASE % "Dr. Ben"}
opening: It is dark.
turns: [{{repeat: [anna, ben], times: 2}}]
"""
RAW = """
name: raw
roles:
  asker: {model: 'base:1b', prompt: You ask., num_ctx: 512}
  oracle:
    model: 'base:1b'
    api: generate
    raw: true
    num_ctx: 512
    prompt: |-
      <s>{% for m in messages %}{{ 'A' if m.role == role.name else 'Q' }}: {{ m.content }}
      {% endfor %}A:
opening: Begin.
turns: [{repeat: [asker, oracle], times: 2}]
"""


def played(text: str, server: StandIn, folder: Path) -> Transcript:
    """A pipeline's transcript."""
    (folder / "pipeline.yaml").write_text(text, encoding="utf-8")
    return llm_gc.run(folder / "pipeline.yaml", host=server.url, sessions=folder)


@pytest.mark.parametrize("path", ["rendered", "native"])
def test_two_models_without_a_template_talk(path: Any, tmp_path: Path) -> None:
    """Each is sent all that was said under labels and continues after its own; the leading blank is not a word of it.

    A request begins with the one before and its reply, so that the model's prefix cache serves.
    """
    with StandIn([Model("base:1b", path=path)]) as server:
        server.script(*(Say([" ", f"{word}."]) for word in ("One", "Two", "Three", "Four")))
        transcript = played(FIRESIDE, server, tmp_path)
        prompts = [chat.json["prompt"] for chat in server.chats]
        assert {chat.path for chat in server.chats} == {"/api/generate"}
        assert {tuple(chat.json["options"]["stop"]) for chat in server.chats} == {("\nAnna:", "\nDr. Ben:")}
        assert all(chat.json["truncate"] is chat.json["shift"] is False for chat in server.chats)
        assert server.load_counts == {"base:1b": 1}
    assert [turn.content for turn in transcript.turns] == ["One.", "Two.", "Three.", "Four."]
    assert prompts[0] == "Anna and Ben talk.\n\nIt is dark.\n\nAnna:"
    assert prompts[3].endswith("\n\nAnna: One.\n\nDr. Ben: Two.\n\nAnna: Three.\n\nDr. Ben:")
    assert prompts[2].startswith(f"{prompts[0]} One.")
    assert prompts[3].startswith(f"{prompts[1]} Two.")
    assert transcript.turns[0].request.options["stop"] == ["\nAnna:", "\nDr. Ben:"]


def test_a_model_stops_where_another_would_speak(tmp_path: Path) -> None:
    """What it would write for the others never comes out."""
    with StandIn([Model("base:1b")]) as server:
        server.script(Say(" One.\n\nDr. Ben: No!\n\nAnna: Yes!"))
        transcript = played(FIRESIDE, server, tmp_path)
    assert transcript.turns[0].content.strip() == "One."


def test_a_raw_prompt_is_all_that_is_sent(tmp_path: Path) -> None:
    """Neither opening nor messages nor labels are added, and the model's template stays out of it."""
    with StandIn([Model("base:1b")]) as server:
        server.script(*(Say(word) for word in ("Why?", "So.", "And?", "Thus.")))
        transcript = played(RAW, server, tmp_path)
        first, second = [chat for chat in server.chats if chat.path == "/api/generate"]
        assert first.json["raw"] is second.json["raw"] is True
        assert "stop" not in first.json["options"]
        assert first.json["prompt"] == first.prompt == "<s>Q: Why?\nA:"
        assert second.json["prompt"] == second.prompt == "<s>Q: Why?\nA: So.\nQ: And?\nA:"
    assert [turn.content for turn in transcript.turns] == ["Why?", "So.", "And?", "Thus."]
    assert llm_gc.messages_of(transcript, transcript.turns[1]) == [{"role": "user", "content": "<s>Q: Why?\nA:"}]


def test_a_raw_prompt_without_a_text_ends_it(tmp_path: Path) -> None:
    """An empty request would only load the model; the error names the role."""
    text = RAW.replace("<s>{% for", "{% if turn > 9 %}{% for").replace("{% endfor %}A:", "{% endfor %}{% endif %}")
    with StandIn([Model("base:1b")]) as server:
        transcript = played(text, server, tmp_path)
    assert transcript.status == "failed"
    assert "oracle has nothing to continue from: its prompt renders no text" in transcript.ended_by.detail


def test_a_structured_reply_of_a_completion(tmp_path: Path) -> None:
    """The format goes along, and the text comes back as data."""
    text = FIRESIDE.replace("label: Anna,", "label: Anna, format: {ok: {type: boolean}},").replace(
        "times: 2", "times: 1"
    )
    with StandIn([Model("base:1b")]) as server:
        server.script(Say('{"ok": true}'), Say("Fine."))
        transcript = played(text, server, tmp_path)
        assert server.chats[0].json["format"]["properties"] == {"ok": {"type": "boolean"}}
    assert transcript.turns[0].data == {"ok": True}


def test_nothing_is_dropped_from_a_raw_prompt(tmp_path: Path) -> None:
    """What does not fit is asked once, and ends it: the text is the author's."""
    text = RAW + "limits: {on_overflow: drop_oldest}\n"
    with StandIn([Model("base:1b", context=512)]) as server:
        server.script(Say("Why?"), Say("So."), Say("And?"), EngineError("too long", "exceed_context_size_error"))
        transcript = played(text, server, tmp_path)
        assert len(server.chats) == 4
    assert transcript.ended_by.reason == "overflow"
