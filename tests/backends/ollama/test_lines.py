"""The decoder: bytes in any pieces become the same events, and nothing but `done: true` is success."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llm_gc.backends.http import stream as wire
from llm_gc.backends.http.server_errors import RequestPlace, of_bad
from llm_gc.backends.http.stream import CUT_SHORT, BadLine, ErrorLine, Event, Said, StreamEnd, StreamPiece
from llm_gc.backends.ollama.wire import Lines
from llm_gc.protocol import Tokens
from tests.backends.ollama.asking import done, lines, said

COUNTERS: dict[str, Any] = {
    "total_duration": 812000000,
    "load_duration": 1100000,
    "prompt_eval_count": 31,
    "prompt_eval_duration": 90000000,
    "eval_count": 12,
    "eval_duration": 700000000,
}
REPLY = lines(said("Grüße, "), said("\U0001f600 <b>"), done("!", **COUNTERS)).replace(b"<", b"\\u003c")


def Decoder(**bounds: int) -> wire.StreamDecoder:  # noqa: N802 - it is the class, with Ollama's lines
    """A decoder of what Ollama sends."""
    return wire.StreamDecoder(Lines(), **bounds)


def decode(*reads: bytes, **bounds: int) -> list[Event]:
    """All events of some reads and the end."""
    decoder = Decoder(**bounds)
    return [event for data in reads for event in decoder.feed(data)] + decoder.finish()


def only(*reads: bytes) -> Event:
    """The one event."""
    events = decode(*reads)
    assert len(events) == 1, events
    return events[0]


def test_a_reply_is_decoded() -> None:
    """Deltas come in order, escapes are undone, a last chunk's text counts, durations are seconds."""
    assert decode(REPLY) == [
        StreamPiece("Grüße, "),
        StreamPiece("\U0001f600 <b>"),
        StreamPiece("!"),
        StreamEnd("stop", "demo:1b", Tokens(31, 12), load=0.0011, prompt=0.09, generation=0.7, total=0.812),
    ]


@pytest.mark.parametrize("raw", [REPLY, json.dumps(said("é"), ensure_ascii=False).encode() + b"\n" + REPLY])
def test_where_reads_are_split_makes_no_difference(raw: bytes) -> None:
    """Two reads split anywhere, or one byte at a time, give what one read gives."""
    whole = decode(raw)
    for at in range(len(raw) + 1):
        assert decode(raw[:at], raw[at:]) == whole
    assert decode(*(raw[at : at + 1] for at in range(len(raw)))) == whole


def test_a_last_line_needs_no_newline() -> None:
    """The end of the stream ends a line too."""
    assert decode(REPLY.rstrip(b"\n")) == decode(REPLY)


def test_blank_lines_and_carriage_returns_are_passed_over() -> None:
    """A proxy's extra line ends do no harm."""
    assert decode(b"\r\n" + REPLY.replace(b"\n", b"\r\n\r\n")) == decode(REPLY)


def test_nothing_follows_the_end() -> None:
    """After `done: true` whatever comes is passed over, an error too."""
    assert decode(REPLY + lines(said("more"), {"error": "late"}), b"junk\n") == decode(REPLY)


def test_thinking_and_tool_calls_are_kept_apart() -> None:
    """Thinking is its own delta; calls nobody asked for are collected as they came."""
    call = {"id": "call_1", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}
    message = {"role": "assistant", "content": "", "thinking": "Hm. ", "tool_calls": [call]}
    assert decode(lines({"message": message, "done": True})) == [StreamPiece("", "Hm. ", (call,)), StreamEnd()]


def test_counters_may_be_absent_or_odd() -> None:
    """A counter that is missing, null, negative or no whole number is unknown."""
    odd: dict[str, Any] = {"prompt_eval_count": None, "eval_count": -1, "load_duration": "1", "eval_duration": True}
    odd["prompt_eval_duration"] = 10**30
    assert only(lines(done(reason=None, **odd))) == StreamEnd(None, "demo:1b", Tokens())


def test_one_object_is_an_answer_too() -> None:
    """What loads or unloads a model answers with a single object without a newline."""
    assert only(json.dumps(done(reason="load")).encode()) == StreamEnd("load", "demo:1b")


@pytest.mark.parametrize(
    ("raw", "pieces"),
    [
        (b"", 0),
        (b"\n\n", 0),
        (lines(said("a")), 1),
        (lines(said("a")) + b'{"model":"de', 1),
        (b'{"model":"de', 0),
        (lines({"done": "true"}), 0),
        (lines({"done": 1}), 0),
        (lines({"status": "success"}), 0),
    ],
)
def test_a_stream_without_done_is_broken(raw: bytes, pieces: int) -> None:
    """Only a line with `done: true` makes a reply whole."""
    events = decode(raw)
    last = events[-1]
    assert isinstance(last, BadLine)
    assert (last.kind, last.reason.startswith(CUT_SHORT), len(events) - 1) == ("broken", True, pieces)


@pytest.mark.parametrize(
    "line",
    [
        b"<html><body>Bad gateway</body></html>",
        b"data: {}",
        b"\x00\xff\xfe garbage",
        b"[1, 2]",
        b'"text"',
        b"null",
        b"{'a': 1}",
        b'{"done":true}{"done":true}',
        b'{"message":[],"done":true}',
        b'{"message":{"content":5},"done":true}',
        b'{"message":{"content":[{"text":"x"}]},"done":true}',
        b'{"message":{"thinking":{}},"done":true}',
        b'{"message":{"tool_calls":{"a":1}},"done":true}',
        b'{"done":true,"eval_count":NaN}',
        b'{"done":true,"x":1e999}',
        b'{"done":true,"x":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_garbage_is_broken_and_quoted(line: bytes) -> None:
    """A line that no Ollama sends ends the reply at once, and a little of it is shown."""
    bad = Decoder().feed(line + b"\n")
    assert len(bad) == 1
    assert isinstance(bad[0], BadLine)
    assert bad[0].kind == "broken"
    assert line[:8].decode("utf-8", "replace").strip("\x00") in bad[0].text
    assert len(of_bad(RequestPlace("http://gpu:9", "m"), bad[0]).message) < 250


def test_garbage_after_good_lines_keeps_these() -> None:
    """What came before the bad line is still given."""
    events = Decoder().feed(lines(said("a"), said("b")) + b"junk\n" + lines(done()))
    assert events[:2] == [StreamPiece("a"), StreamPiece("b")]
    assert isinstance(events[2], BadLine)
    assert len(events) == 3


def test_invalid_utf8_is_replaced() -> None:
    """A byte that is no text becomes the replacement character."""
    assert decode(REPLY.replace(b"Gr", b"G\xff"))[0] == StreamPiece("G�üße, ")


def test_half_a_character_is_replaced_and_a_whole_one_kept() -> None:
    """A lone surrogate, which no file could hold, is replaced wherever it is; a pair is one character."""
    raw = b'{"message":{"content":"a\\ud83d","thinking":"\\uDe00\\ud83d\\ude00"},"done":true}\n'
    assert decode(raw)[0] == StreamPiece("a�", "�\U0001f600")


def test_an_error_line_is_an_error_after_http_200() -> None:
    """`error` in any line ends the reply, whatever else the line has."""
    words = "an error was encountered while running the model: unexpected EOF"
    assert decode(lines(said("a"), {"error": words})) == [StreamPiece("a"), ErrorLine(Said(words))]
    assert only(lines(done(error=words))) == ErrorLine(Said(words))


def test_a_null_error_is_none() -> None:
    """`error: null` beside a good end does no harm."""
    assert isinstance(only(lines(done(error=None))), StreamEnd)


@pytest.mark.parametrize("kind", [str, dict])
def test_an_engines_error_is_unwrapped(kind: type) -> None:
    """JSON inside the text, or an object, gives message, type and figures."""
    inner = {
        "code": 400,
        "message": "too long",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 633,
        "n_ctx": 512,
    }
    error: Any = {"error": inner}
    event = only(lines({"error": json.dumps(error) if kind is str else inner}))
    assert event == ErrorLine(Said("too long", "exceed_context_size_error", 633, 512))


def test_a_line_without_end_is_too_large() -> None:
    """A line is given up at its bound, and nothing of it is kept."""
    decoder = Decoder(max_line=1000)
    assert decoder.feed(b"x" * 1000) == []
    [bad] = decoder.feed(b"x")
    assert isinstance(bad, BadLine)
    assert bad.kind == "too_large"
    assert "1000 bytes" in bad.reason
    assert decoder.feed(b"x" * 1000) == decoder.finish() == []
    assert not decoder._lines


def test_a_long_line_in_one_read_is_too_large() -> None:
    """A line beyond the bound is given up even where its end is there."""
    [bad] = Decoder(max_line=1000).feed(lines(done("x" * 1000)))
    assert isinstance(bad, BadLine)
    assert bad.kind == "too_large"


def test_a_reply_without_end_is_too_large() -> None:
    """Good lines are given up, too, when all of them together go beyond the bound."""
    line, decoder = lines(said("la ")), Decoder(max_reply=10_000)
    *pieces, bad = [event for _ in range(1000) for event in decoder.feed(line)]
    assert isinstance(bad, BadLine)
    assert bad.kind == "too_large"
    assert pieces == [StreamPiece("la ")] * (10_000 // len(line) + 1)


def test_a_whole_reply_is_never_too_large() -> None:
    """An end within the same read counts more than the bound of the whole."""
    assert isinstance(decode(REPLY, max_reply=10)[-1], StreamEnd)
