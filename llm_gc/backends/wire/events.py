"""What a model server answers, from bytes to events; it does no I/O and knows no clock.

Theory of operation. Whoever reads the connection gives the bytes to ``feed`` as they come, and calls
``finish`` at their end; both give events. What a line means is the ``Reader``'s to say, one for each kind of
server. ``End`` comes from it alone, so a reply is whole only if it came. ``ErrorLine`` and ``Bad`` say why it
will not come. After one of these three nothing else follows. What is kept is bounded: a line by ``max_line``,
all lines by ``max_reply``.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Protocol

from llm_gc.backends.wire.redact import Redactor
from llm_gc.backends.wire.said import Said
from llm_gc.backends.wire.text import load_json
from llm_gc.protocol import Tokens

MAX_LINE = 4 * 2**20
MAX_REPLY = 32 * 2**20
CUT_SHORT = "the stream ended before the reply was complete"


class Piece(NamedTuple):
    """A piece of the reply."""

    text: str = ""
    thinking: str = ""
    tool_calls: tuple[Any, ...] = ()


class Last(NamedTuple):
    """The text is whole; all that may still come are its figures."""


class End(NamedTuple):
    """The reply is whole; durations are in seconds, and whatever the server did not say is none."""

    reason: str | None = None
    model: str | None = None
    tokens: Tokens = Tokens()
    load: float | None = None
    prompt: float | None = None
    generation: float | None = None
    total: float | None = None

    def without(self, redactor: Redactor) -> End:
        """Return the end without secrets in its words."""
        hide = redactor.hide
        return self._replace(reason=self.reason and hide(self.reason), model=self.model and hide(self.model))

    @property
    def wait(self) -> float | None:
        """The seconds for which a request waited for a slot: neither loading, nor reading, nor writing went on."""
        parts = (self.load, self.prompt, self.generation)
        if self.total is None or None in parts:
            return None
        return max(0.0, round(self.total - sum(part or 0.0 for part in parts), 9))


class ErrorLine(NamedTuple):
    """The server gave up in the middle, and said why."""

    said: Said


class Bad(NamedTuple):
    """What came is no reply; ``text`` is what it was instead, as far as that is worth showing."""

    kind: Literal["broken", "too_large"]
    reason: str
    text: str = ""


Event = Piece | Last | End | ErrorLine | Bad


class Reader(Protocol):
    """Whoever knows what one server's lines mean."""

    def line(self, line: bytes) -> list[Event]:
        """Give the events of a line that is not blank."""

    def end(self) -> End | None:
        """Give the reply's end where it is whole though no line said so, now that no more lines come."""


class LineBuffer:
    """Cut bytes that come in pieces into lines."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._held = bytearray()

    def __len__(self) -> int:
        """Return the size of the line that has begun and not ended."""
        return len(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they came, and return the lines that they complete."""
        if b"\n" not in data:  # else a long line that comes in small reads would be copied at each of them
            self._held += data
            return []
        first, *lines = data.split(b"\n")
        lines.insert(0, bytes(self._held) + first)
        self._held = bytearray(lines.pop())
        return lines

    def rest(self) -> bytes:
        """Return the line that nothing ended, and begin anew."""
        rest, self._held = bytes(self._held), bytearray()
        return rest


class Decoder:
    """Turn the bytes of one answer into events."""

    def __init__(self, reader: Reader, max_line: int = MAX_LINE, max_reply: int = MAX_REPLY) -> None:
        """Take who reads the lines, and the bounds in bytes."""
        self._reader, self._max_line, self._max_reply = reader, max_line, max_reply
        self._lines = LineBuffer()
        self._size = 0
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes as they came, and give what they complete."""
        if self._over:
            return []
        self._size += len(data)
        events = self._read(self._lines.feed(data))
        if not self._over and len(self._lines) > self._max_line:
            events.append(self._stop(Bad("too_large", f"a line of more than {_size(self._max_line)}")))
        if not self._over and self._size > self._max_reply:
            events.append(self._stop(Bad("too_large", f"more than {_size(self._max_reply)}")))
        return events

    def finish(self) -> list[Event]:
        """Take notice that no more bytes come, and give what is left: an ``End`` or why there is none."""
        if self._over:
            return []
        rest = self._lines.rest()
        events = self._read([rest])
        if not self._over:
            return [*events, self._stop(self._reader.end() or Bad("broken", CUT_SHORT))]
        if isinstance(events[-1], Bad) and rest.lstrip().startswith((b"{", b"data:")):  # torn, not a foreign server's
            end = self._reader.end()
            if end is not None:
                return [*events[:-1], end]
            events[-1] = Bad("broken", f"{CUT_SHORT}, in the middle of a line")
        return events

    def _read(self, lines: list[bytes]) -> list[Event]:
        events: list[Event] = []
        for line in lines:
            if not line.strip():
                continue
            if len(line) > self._max_line:
                return [*events, self._stop(Bad("too_large", f"a line of more than {_size(self._max_line)}"))]
            for event in self._reader.line(line):
                events.append(event)
                if not isinstance(event, (Piece, Last)):
                    return [*events[:-1], self._stop(event)]
        return events

    def _stop(self, last: Event) -> Event:
        self._over = True
        self._lines.rest()
        return last


def read_object(text: str) -> dict[str, Any] | Bad:
    """Read a line that must be a JSON object."""
    try:
        value = load_json(text)
    except ValueError:
        return Bad("broken", "what came is no line of JSON", text)
    if not isinstance(value, dict):
        return Bad("broken", "what came is JSON, but no object", text)
    return value


def read_part(message: dict[str, Any], key: str, kind: type) -> Any:
    """Give what a message has under ``key``, the empty value of its kind where it has nothing.

    Raises:
        TypeError: where it is of another kind.

    """
    value = message.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise TypeError(f"{key} is no {kind.__name__}")
    return value


def unreadable(text: str) -> Bad:
    """Tell that an object is no part of a reply."""
    return Bad("broken", "what came has no message that can be read", text)


def _size(count: int) -> str:
    return f"{count / 2**20:g} MiB" if count >= 2**20 else f"{count} bytes"
