"""Events of OpenAI-compatible servers become pieces, figures and an end, in whichever dialect they come."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_gc.backends.http.server_errors import RequestPlace, of_bad
from llm_gc.backends.http.stream import (
    CUT_SHORT,
    BadLine,
    ErrorLine,
    Event,
    Said,
    StreamDecoder,
    StreamEnd,
    StreamLast,
    StreamPiece,
)
from llm_gc.backends.openai.wire import Events
from llm_gc.protocol import Tokens

DONE = b"data: [DONE]\n\n"


def event(delta: Any = None, reason: str | None = None, **more: Any) -> bytes:
    """An event of a stream."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    return b"data: " + json.dumps({"model": "m", "choices": choices, **more}).encode() + b"\n\n"


def decode(*reads: bytes) -> list[Event]:
    """All events of some reads and the end."""
    decoder = StreamDecoder(Events())
    return [event for data in reads for event in decoder.feed(data)] + decoder.finish()


USAGE = event(usage={"prompt_tokens": 31, "completion_tokens": 12})
REPLY = event({"role": "assistant", "content": ""}) + event({"content": "Grü"}) + event({"content": "ße"}) + event(
    {}, "stop"
) + USAGE + DONE  # fmt: skip


def test_a_reply_is_decoded() -> None:
    """Deltas in order, then the reason, then the figures, and `[DONE]` is the end."""
    assert decode(REPLY) == [
        StreamPiece("Grü"),
        StreamPiece("ße"),
        StreamLast(),
        StreamEnd("stop", "m", Tokens(31, 12)),
    ]


def test_where_reads_are_split_makes_no_difference() -> None:
    """Two reads split anywhere give what one read gives; so do carriage returns and comments."""
    whole = decode(REPLY)
    assert all(decode(REPLY[:at], REPLY[at:]) == whole for at in range(len(REPLY)))
    assert decode(b": ping\r\n\r\n" + REPLY.replace(b"\n", b"\r\n")) == whole
    assert decode(b"event: message\nid: 7\nretry: 10\n" + REPLY) == whole


def test_signs_of_life_are_no_trouble() -> None:
    """Comments, events without data and events without choices only show that the server is still there."""
    signs = b": keep-alive\n\ndata: null\n\ndata:\n\n" + event() + event().replace(b"[]", b"null")
    events = [event({"content": "Grü"}), event({"content": "ße"}), event({}, "stop"), DONE]
    assert decode(signs.join([b"", *events])) == [
        StreamPiece("Grü"),
        StreamPiece("ße"),
        StreamLast(),
        StreamEnd("stop", "m"),
    ]


def test_a_text_may_come_in_parts() -> None:
    """As it may be sent to such a server."""
    parts = [{"type": "text", "text": "Grü"}, {"type": "text", "text": "ße"}]
    assert decode(event({"content": parts}), DONE)[0] == StreamPiece("Grüße")


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_thinking_goes_by_two_names(key: str) -> None:
    """Either is thinking, and none of the text."""
    assert decode(event({"content": None, key: "Hm."}), DONE)[0] == StreamPiece("", "Hm.")


def test_a_stream_without_done_is_whole_where_the_model_said_why_it_stopped() -> None:
    """Not every server ends with `[DONE]`; without a reason, too, it was cut short."""
    assert decode(event({"content": "a"}), event({}, "length"))[-1] == StreamEnd("length", "m")
    assert decode(event({"content": "a"}), event({}, "length"), USAGE[:40])[-1] == StreamEnd("length", "m")
    assert decode(event({"content": "a"}))[-1] == BadLine("broken", CUT_SHORT)
    torn = BadLine("broken", f"{CUT_SHORT}, in the middle of a line")
    assert decode(event({"content": "a"}), b'data: {"choi')[-1] == torn
    assert decode() == [BadLine("broken", CUT_SHORT)]


def test_a_server_that_does_not_stream() -> None:
    """A whole answer on one line is a reply, too."""
    choice = {"message": {"content": "Yes.", "tool_calls": [{"id": "1"}]}, "finish_reason": "stop"}
    whole = {"object": "chat.completion", "model": "m", "choices": [choice], "usage": {"prompt_tokens": 3}}
    assert decode(json.dumps(whole).encode()) == [
        StreamPiece("Yes.", "", ({"id": "1"},)),
        StreamEnd("stop", "m", Tokens(3)),
    ]


def test_a_completion_has_a_text_in_place_of_a_message() -> None:
    """As /completions streams it."""
    line = b"data: " + json.dumps({"choices": [{"text": " once", "finish_reason": None}]}).encode() + b"\n"
    assert decode(line, DONE)[0] == StreamPiece(" once")


def test_figures_of_llama_cpp_are_taken() -> None:
    """Its server tells how long it read and wrote, in milliseconds; odd figures are unknown."""
    timings = {"prompt_ms": 90.5, "predicted_ms": 700}
    assert decode(event({}, "stop", timings=timings), DONE)[-1] == StreamEnd("stop", "m", prompt=0.0905, generation=0.7)
    odd = {"prompt_ms": -1, "predicted_ms": "7"}
    assert decode(event({}, "stop", timings=odd, usage={"prompt_tokens": -1}), DONE)[-1] == StreamEnd("stop", "m")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"error": {"message": "no", "type": "api_error", "code": None}}, Said("no", "api_error")),
        ({"error": {"message": "no", "type": "t", "code": "too_big"}}, Said("no", "too_big")),
        ({"object": "error", "message": "no", "type": "BadRequestError"}, Said("no", "BadRequestError")),
        ({"error": "no"}, Said("no")),
        ({"detail": "no"}, Said("no")),
    ],
)  # fmt: skip
def test_an_error_in_the_middle_is_an_error(said: dict[str, Any], expected: Said) -> None:
    """In each of the forms that servers have for it."""
    data = b"data: " + json.dumps(said).encode() + b"\n\n"
    assert decode(event({"content": "a"}), data, DONE) == [StreamPiece("a"), ErrorLine(expected)]


def test_the_window_is_read_from_vllms_words() -> None:
    """What does not fit is known by its words, and both figures are taken from them."""
    words = "This model's maximum context length is 4096 tokens. However, your request has 5000 input tokens."
    [found] = decode(b"data: " + json.dumps({"error": {"message": words}}).encode() + b"\n")
    assert isinstance(found, ErrorLine)
    assert found.said.too_long
    assert (found.said.prompt_tokens, found.said.num_ctx) == (5000, 4096)


@pytest.mark.parametrize(
    "line",
    [
        b"<html>Bad gateway</html>",
        b"data: <html>",
        b"data: []",
        b'data: {"choices": 1}',
        b'data: {"choices": [1]}',
        b'data: {"choices": [{"delta": []}]}',
        b'data: {"choices": [{"delta": {"content": [{"text": "x"}]}}]}',
        b'data: {"choices": [{"delta": {"tool_calls": {"a": 1}}}]}',
        b"data: " + b"[" * 100_000,
    ],
)
def test_garbage_is_broken_and_quoted(line: bytes) -> None:
    """A line that no such server sends ends the reply at once, and a little of it is shown."""
    [bad] = StreamDecoder(Events()).feed(line + b"\n")
    assert isinstance(bad, BadLine)
    assert bad.kind == "broken"
    assert len(of_bad(RequestPlace("http://gpu:9", "m"), bad).message) < 250
