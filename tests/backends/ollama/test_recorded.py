"""Every chat that was recorded on a real server becomes the right reply, or the right failure."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from llm_gc.backends.interface import Asked, Delta
from llm_gc.protocol import Reply
from tests.backends.ollama.asking import URL, Notes, an_ask, reply_to

FILE = Path(__file__).parent.parent.parent / "data" / "ollama-wire.jsonl"

SPOKEN = "7_`07IwE{`-r}{EZ{5Sp@pd3wm"
ROOM = (
    SPOKEN
    + """f>9H_wf>TO<*(O:o(YUO`"ss+HO?{4;I;G@&JU4: \\9YS_.BwL-JqmVr!}l{hCx f6mV@)xQH3R!U?g2_qz*HyNfHDTWj#RC0+T
7vX*s3lkS)eY[!}7AOW}Y?"?[sO$#IO_<-"._h9f}se*0M smb@v_w&Sg#"wsRM[HD!N?5"';|][mmOlV*w4I^n?;$mPP-[E[@q?@7.1t?CO:"""
)

# what the model says, how it ends, the tokens of the prompt and of the reply
REPLIES: dict[str, tuple[str, str, int | None, int | None]] = {
    "load": ("", "load", None, None),
    "unload": ("", "unload", None, None),
    "chat-stream": ("8-XptpzMA[^;1>Rz:;;EElJH", "length", 47, 24),
    "chat-stream-again": ("8-XptpzMA[^;1>Rz:;;EElJH", "length", 47, 24),
    "chat-nonstream": ("}", "stop", 41, 2),
    "chat-native-stream": ("d@TRrk duj)UK<think>b 5 d$w9w&", "length", 23, 24),
    "chat-native-nonstream": ("d@TRrk duj)UK<think>b 5 d$w9w&", "length", 23, 24),
    "chat-stop-string": ("", "stop", 41, 1),
    "chat-format-schema": ('{ "approved":\n\n false,"score":2\n     }', "stop", 42, 39),
    "chat-think": ("ja&5>ca4FKA", "stop", 40, 12),
    "chat-think-false": ("i#-,A|F>z#'?5m9.'|%sULW", "stop", 44, 24),
    "option-unknown": ("=_h", "stop", 34, 4),
    "overflow-default": ("@JLL", "length", 67, 4),
    "overflow-history-default": ("9M^.", "length", 54, 4),
    "window-full-shift-false": (ROOM, "length", 21, 235),
}

# the kind of failure, whether it may be tried again, words of its message, and what was heard before
FAILURES: dict[str, tuple[str, bool, str, str]] = {
    "chat-format-invalid": ("refused", False, "invalid format", ""),
    "chat-think-unsupported": ("refused", False, "does not support thinking", ""),
    "chat-tools-unsupported": ("refused", False, "does not support tools", ""),
    "model-missing-chat": ("refused", False, "`ollama pull absent:1b`", ""),
    "no-model": ("refused", False, "model is required", ""),
    "bad-model-name": ("refused", False, "invalid model name", ""),
    "broken-json": ("refused", False, "invalid character '}'", ""),
    "empty-body": ("refused", False, "missing request body", ""),
    "content-parts": ("refused", False, "cannot unmarshal array", ""),
    "option-wrong-type": ("refused", False, 'option "num_predict" must be of type integer', ""),
    "option-stop-bare-string": ("refused", False, 'option "stop" must be of type array', ""),
    "option-out-of-range": ("refused", False, "Value must be between 0 <= value <= 2147483647, but got -1", ""),
    "keep-alive-no-unit": ("refused", False, "missing unit in duration", ""),
    "overflow-truncate-false": ("overflow", False, "of 2033 tokens does not fit the context window of 256", ""),
    "overflow-native": ("overflow", False, "of 2015 tokens does not fit the context window of 256", ""),
    "strict-roles": ("refused", False, "Conversation roles must alternate user/assistant", ""),
    "repetition-abort": ("broken", False, "ended before the reply was complete", "E" * 31),
    "repetition-abort-nonstream": ("broken", False, "ended before the reply was complete", "E" * 31),
    "zero-line-200": ("broken", False, "ended before the reply was complete", ""),
    "wrong-method": ("refused", False, "405 method not allowed", ""),
    "engine-crash-mid-stream": ("server", True, "unexpected EOF", SPOKEN),
}


@cache
def exchanges() -> dict[str, dict[str, Any]]:
    """The recorded exchanges by their names."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return {exchange["case"]: exchange for exchange in map(json.loads, lines)}


def replayed(case: str, notes: Notes) -> Reply:
    """What the backend makes of a recorded answer."""
    exchange = exchanges()[case]
    recorded, model = exchange["response"], (exchange["request"]["body"] or {}).get("model", "demo:1b")
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        router.post("/api/show").respond(json={"capabilities": ["completion"]})
        router.get("/api/ps").respond(json={"models": [{"name": model}]})
        headers = {"content-type": recorded["content_type"]}
        answer = httpx.Response(recorded["status"], content=recorded["body"].encode(), headers=headers)
        loaded = httpx.Response(200, json={"model": model, "done": True, "done_reason": "load"})
        router.post("/api/chat").mock(side_effect=lambda sent: answer if b'"messages"' in sent.content else loaded)
        return reply_to(an_ask(model), notify=notes)


def test_every_recorded_chat_is_in_the_tables() -> None:
    """No recorded chat goes without an expectation."""
    chats = {case for case, exchange in exchanges().items() if exchange["request"]["path"] == "/api/chat"}
    assert chats == REPLIES.keys() | FAILURES.keys()


@pytest.mark.parametrize("case", REPLIES)
def test_a_recorded_reply_is_understood(case: str) -> None:
    """Text, end and counters are those that were recorded, and the deltas make up the text."""
    content, reason, prompt, completion = REPLIES[case]
    notes = Notes()
    reply = replayed(case, notes)
    assert reply.failure is None
    assert (reply.content, reply.thinking, reply.done_reason) == (content, "", reason)
    assert (reply.tokens.prompt, reply.tokens.completion) == (prompt, completion)
    assert reply.cut is (reason == "length")
    assert reply.model is None
    assert notes[0] == Asked(exchanges()[case]["request"]["body"]["model"])
    assert "".join(note.text for note in notes if isinstance(note, Delta)) == content


@pytest.mark.parametrize("case", FAILURES)
def test_a_recorded_failure_is_understood(case: str) -> None:
    """Kind, advice and words fit what was recorded, and what had been heard is kept."""
    kind, retry, words, heard = FAILURES[case]
    reply = replayed(case, Notes())
    assert reply.failure is not None
    assert (reply.failure.kind, reply.failure.retry) == (kind, retry)
    assert words in reply.failure.message
    assert reply.content == heard
    assert reply.done_reason is None


def test_recorded_figures_become_seconds() -> None:
    """Nanoseconds are turned into seconds, each in its place."""
    latency = replayed("chat-nonstream", Notes()).latency
    last = json.loads(exchanges()["chat-nonstream"]["response"]["body"])
    assert latency.load == last["load_duration"] / 1e9
    assert latency.prompt == last["prompt_eval_duration"] / 1e9
    assert latency.generation == last["eval_duration"] / 1e9
    assert latency.total is not None
    assert latency.first_token is not None
    assert 0 < latency.first_token < latency.total < 5
