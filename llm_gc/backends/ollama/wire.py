"""What a chat answers, from bytes to events; it does no I/O and knows no clock.

Theory of operation. Whoever reads the connection gives the bytes to ``feed`` as they come, and calls
``finish`` at their end; both give events. ``End`` comes from a line with ``done: true`` and from nothing
else, so a reply is whole only if it came. ``ErrorLine`` and ``Bad`` say why it will not come. After one of
these three nothing else follows. What is kept is bounded: a line by ``max_line``, all lines by ``max_reply``.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from llm_gc.backends.ollama.said import Said, read_error
from llm_gc.backends.ollama.text import load_json, natural, quote, seconds
from llm_gc.protocol import Tokens

MAX_LINE = 4 * 2**20
MAX_REPLY = 32 * 2**20
CUT_SHORT = "the stream ended before the reply was complete"


class Piece(NamedTuple):
    """A piece of the reply."""

    text: str = ""
    thinking: str = ""
    tool_calls: tuple[Any, ...] = ()


class End(NamedTuple):
    """The reply is whole; durations are in seconds, and whatever the server did not say is none."""

    reason: str | None = None
    model: str | None = None
    tokens: Tokens = Tokens()
    load: float | None = None
    prompt: float | None = None
    generation: float | None = None


class ErrorLine(NamedTuple):
    """The server gave up in the middle, and said why."""

    said: Said


class Bad(NamedTuple):
    """What came is no reply."""

    kind: Literal["broken", "too_large"]
    reason: str


Event = Piece | End | ErrorLine | Bad


class Decoder:
    """Turn the bytes of one answer into events."""

    def __init__(self, max_line: int = MAX_LINE, max_reply: int = MAX_REPLY) -> None:
        """Take the bounds, in bytes."""
        self._max_line, self._max_reply = max_line, max_reply
        self._held = bytearray()
        self._size = 0
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes as they came, and give what they complete."""
        if self._over:
            return []
        self._size += len(data)
        lines: list[bytes] = []
        if b"\n" in data:  # else a long line that comes in small reads would be copied at each of them
            first, *lines = data.split(b"\n")
            lines.insert(0, bytes(self._held) + first)
            self._held = bytearray(lines.pop())
        else:
            self._held += data
        events = self._read(lines)
        if not self._over and len(self._held) > self._max_line:
            events.append(self._stop(Bad("too_large", f"a line of more than {_size(self._max_line)}")))
        if not self._over and self._size > self._max_reply:
            events.append(self._stop(Bad("too_large", f"more than {_size(self._max_reply)}")))
        return events

    def finish(self) -> list[Event]:
        """Take notice that no more bytes come, and give what is left: an ``End`` or why there is none."""
        if self._over:
            return []
        rest = bytes(self._held)
        events = self._read([rest])
        if not self._over:
            return [*events, self._stop(Bad("broken", CUT_SHORT))]
        if isinstance(events[-1], Bad) and rest.lstrip().startswith(b"{"):  # torn, not from a foreign server
            events[-1] = Bad("broken", f"{CUT_SHORT}, in the middle of a line")
        return events

    def _read(self, lines: list[bytes]) -> list[Event]:
        events: list[Event] = []
        for line in lines:
            if not line.strip():
                continue
            if len(line) > self._max_line:
                return [*events, self._stop(Bad("too_large", f"a line of more than {_size(self._max_line)}"))]
            for event in read_line(line):
                events.append(event)
                if not isinstance(event, Piece):
                    return [*events[:-1], self._stop(event)]
        return events

    def _stop(self, last: Event) -> Event:
        self._over = True
        self._held = bytearray()
        return last


def read_line(line: bytes) -> list[Event]:
    """Give the events of one line: none, one, or a last piece and the end."""
    text = line.decode("utf-8", "replace")
    try:
        value = load_json(text)
    except ValueError:
        return [Bad("broken", f"what came is no line of JSON: {quote(text, 80)}")]
    if not isinstance(value, dict):
        return [Bad("broken", f"what came is JSON, but no object: {quote(text, 80)}")]
    if value.get("error") is not None:
        return [ErrorLine(read_error(value["error"]))]
    try:
        piece = _piece(value.get("message"))
    except TypeError:
        return [Bad("broken", f"what came has no message that can be read: {quote(text, 80)}")]
    events: list[Event] = [piece] if piece.text or piece.thinking or piece.tool_calls else []
    return [*events, _end(value)] if value.get("done") is True else events


def _piece(message: Any) -> Piece:
    if message is None:
        return Piece()
    if not isinstance(message, dict):
        raise TypeError("the message is no object")
    text, thinking = _part(message, "content", str), _part(message, "thinking", str)
    return Piece(text, thinking, tuple(_part(message, "tool_calls", list)))


def _part(message: dict[str, Any], key: str, kind: type) -> Any:
    value = message.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise TypeError(f"{key} is no {kind.__name__}")
    return value


def _end(value: dict[str, Any]) -> End:
    reason, model = value.get("done_reason"), value.get("model")
    return End(
        reason=reason if isinstance(reason, str) and reason else None,
        model=model if isinstance(model, str) and model else None,
        tokens=Tokens(natural(value.get("prompt_eval_count")), natural(value.get("eval_count"))),
        load=seconds(value.get("load_duration")),
        prompt=seconds(value.get("prompt_eval_duration")),
        generation=seconds(value.get("eval_duration")),
    )


def _size(count: int) -> str:
    return f"{count / 2**20:g} MiB" if count >= 2**20 else f"{count} bytes"
