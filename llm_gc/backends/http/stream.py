"""What a model server answers, from bytes to events and errors, trusting none of it; no I/O, no clock."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any, Literal, NamedTuple, Protocol

from llm_gc.backends.http.redact import Redactor
from llm_gc.protocol import Tokens
from llm_gc.values.frozen import DEPTH, is_deep, parse

QUOTED = 240
PARTS = 500_000
"""How many lists, maps and items JSON may have."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


def load_json(text: str) -> Any:
    """Return the value that ``text`` is JSON of.

    Raises:
        ValueError: where it is none, or one that is nested beyond every reason or has too many parts.

    """
    nested = text.count("[") + text.count("{")
    if nested + text.count(",") > PARTS:  # each takes some 60 bytes, or more
        raise ValueError("too many parts")
    try:
        value = parse(text)
        if "\\ud" in text or "\\uD" in text:  # perhaps half a character, which no file could hold
            value = json.loads(_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", json.dumps(value, ensure_ascii=False)))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if nested > DEPTH and is_deep(value, DEPTH):
        raise ValueError("nested too deeply")
    return value


def quote(text: str, most: int = QUOTED) -> str:
    """Return ``text`` on one line, and of a long one its beginning and its end, where a reason often is."""
    line = _BLANK.sub(" ", text).strip()
    if len(line) <= most:
        return line
    half = most // 2
    return f"{line[:half].rstrip()} … {line[-half:].lstrip()}"


def natural(value: Any) -> int | None:
    """Return ``value`` where it is a count: a whole number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        return None
    return value


def nanoseconds_to_seconds(value: Any) -> float | None:
    """Return a duration in nanoseconds as seconds."""
    nanoseconds = natural(value)
    return None if nanoseconds is None else nanoseconds / 1e9


_TOO_LONG = (
    "exceeds the available context size",
    "the prompt is longer than the context length",
    "exceeds the model's maximum context length",
    "exceeds the context length",
    "exceed_context_size_error",
    "maximum context length is",
    "context_length_exceeded",
)
NO_WORD = "an error without a word that can be read"
_WORDS = ("message", "detail", "msg", "errors", "error_description", "title")
"""The keys under which an error has its words, the usual ones first."""

_SEVERAL = 3
"""So many of several errors are read."""

_SIZES = re.compile(r"\((\d{1,12}) tokens\)")
_WINDOW = re.compile(r"maximum context length is (\d{1,12}) tokens.*?(\d{1,12}) (?:input )?tokens", re.DOTALL)


class Said(NamedTuple):
    """An error in the server's words, with the figures that came along."""

    message: str = ""
    type: str = ""
    prompt_tokens: int | None = None
    num_ctx: int | None = None

    def __str__(self) -> str:
        """Return the words, as many as a message can bear."""
        return quote(self.message).rstrip(".")

    def without(self, redactor: Redactor) -> Said:
        """Return the error without secrets in it."""
        return self._replace(message=redactor.hide(self.message), type=redactor.hide(self.type))

    @property
    def too_long(self) -> bool:
        """Whether the prompt did not fit the context window."""
        return any(words in self.message or words == self.type for words in _TOO_LONG)


def read_body(body: bytes) -> Said:
    """Read the body of an answer whose status says that it is an error."""
    text = body.decode("utf-8", "replace").strip()
    value = _json(text)
    if value is None:
        return Said(_title(text) or text)
    said = read_error(value)
    return said if said.message != NO_WORD or "error" in value else Said(text)


def read_error(error: Any) -> Said:
    """Read an error in whichever form it has: a text, JSON inside a text (the engine's error), an object or a list."""
    inner = error
    for _ in range(3):  # {"error": "{\"error\": {…}}"}
        found = _json(inner) if isinstance(inner, str) else inner
        if isinstance(found, list) and found and isinstance(found[0], dict) and "error" in found[0]:
            found = found[0]
        if not isinstance(found, dict):
            break
        inner = found["error"] if isinstance(found.get("error"), (str, dict)) and found["error"] else found
        if inner is found:
            break
    text = _text_of(inner)
    if not text:
        return Said(NO_WORD)
    if _json(text) is not None and "error" in text:  # the engine's, in an object of OpenAI's
        return read_error(text)
    if not isinstance(inner, dict):
        return _sized(Said(text))
    code, kind = inner.get("code"), inner.get("type")  # OpenAI's code, where it is a word, says more than its type
    said = Said(text, next((word for word in (code, kind) if isinstance(word, str) and word), ""))
    return _sized(said, natural(inner.get("n_prompt_tokens")), natural(inner.get("n_ctx")))


def _text_of(error: Any) -> str:
    """Return the words of an error; empty where it has none."""
    if isinstance(error, str):
        return error
    if isinstance(error, list):
        return "; ".join(filter(None, map(_text_of, error[:_SEVERAL])))
    if not isinstance(error, dict):
        return ""
    words = next((text for key in _WORDS if (text := _text_of(error.get(key)))), "")
    where = error.get("loc")  # FastAPI's place in the request: ["body", "temperature"]
    place = ".".join(str(part) for part in where if part != "body") if isinstance(where, list) else ""
    return f"{words} ({place})" if words and place else words


def _title(text: str) -> str:
    """Return the title of an HTML page, as a proxy answers with; empty where the text is no such page."""
    if not text.startswith("<"):
        return ""
    lower = text.lower()
    for tag in ("title", "h1"):
        begin = lower.find(">", lower.find(f"<{tag}")) + 1 if f"<{tag}" in lower else 0
        end = lower.find(f"</{tag}", begin)
        if begin and end > begin and (words := unescape(text[begin:end]).strip()):
            return f"{words} (the title of a web page)"
    return ""


def _sized(said: Said, prompt: int | None = None, window: int | None = None) -> Said:
    """Take the figures from the words where they did not come by themselves."""
    sizes = [int(size) for size in _SIZES.findall(said.message)] if said.too_long else []
    if said.too_long and not sizes and (found := _WINDOW.search(said.message)):
        sizes = [int(found[2]), int(found[1])]
    if prompt is None and sizes:
        prompt = sizes[0]
    if window is None and len(sizes) > 1:
        window = sizes[1]
    return Said(said.message, said.type, prompt, window)


def _json(text: str) -> dict[str, Any] | list[Any] | None:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        value = load_json(text)
    except ValueError:
        return None
    return value if isinstance(value, (dict, list)) else None


MAX_LINE = 4 * 2**20
MAX_REPLY = 32 * 2**20
CUT_SHORT = "the stream ended before the reply was complete"


class StreamPiece(NamedTuple):
    """A piece of the reply."""

    text: str = ""
    thinking: str = ""
    tool_calls: tuple[Any, ...] = ()


class StreamLast(NamedTuple):
    """The text is whole; all that may still come are its figures."""


class StreamEnd(NamedTuple):
    """The reply is whole; durations are in seconds, and whatever the server did not say is none."""

    reason: str | None = None
    model: str | None = None
    tokens: Tokens = Tokens()
    load: float | None = None
    prompt: float | None = None
    generation: float | None = None
    total: float | None = None

    def without(self, redactor: Redactor) -> StreamEnd:
        """Return the end without secrets in its words."""
        hide = redactor.hide
        return self._replace(reason=self.reason and hide(self.reason), model=self.model and hide(self.model))

    @property
    def wait(self) -> float | None:
        """The seconds for which a request waited for a slot: neither loading, nor reading, nor writing continued."""
        parts = (self.load, self.prompt, self.generation)
        if self.total is None or None in parts:
            return None
        return max(0.0, round(self.total - sum(part or 0.0 for part in parts), 9))


class ErrorLine(NamedTuple):
    """The server gave up in the middle, and said why."""

    said: Said


class BadLine(NamedTuple):
    """What came is no reply; ``text`` is what it was instead, as far as that is worth showing."""

    kind: Literal["broken", "too_large"]
    reason: str
    text: str = ""


Event = StreamPiece | StreamLast | StreamEnd | ErrorLine | BadLine


class ReplyReader(Protocol):
    """Whoever knows what one server's lines mean."""

    def line(self, line: bytes) -> list[Event]:
        """Return the events of a line that is not blank."""

    def end(self) -> StreamEnd | None:
        """Return the reply's end where it is whole though no line said so, now that no more lines come."""


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
        """Return the line that nothing ended, and begin again."""
        rest, self._held = bytes(self._held), bytearray()
        return rest


class StreamDecoder:
    """Turn the bytes of one answer into events."""

    def __init__(self, reader: ReplyReader, max_line: int = MAX_LINE, max_reply: int = MAX_REPLY) -> None:
        """Take who reads the lines, and the bounds in bytes."""
        self._reader, self._max_line, self._max_reply = reader, max_line, max_reply
        self._lines = LineBuffer()
        self._size = 0
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes as they came, and return what they complete."""
        if self._over:
            return []
        self._size += len(data)
        events = self._read(self._lines.feed(data))
        if not self._over and len(self._lines) > self._max_line:
            events.append(self._stop(BadLine("too_large", f"a line of more than {_size(self._max_line)}")))
        if not self._over and self._size > self._max_reply:
            events.append(self._stop(BadLine("too_large", f"more than {_size(self._max_reply)}")))
        return events

    def finish(self) -> list[Event]:
        """Note that no more bytes come, and return what is left: an ``End`` or why there is none."""
        if self._over:
            return []
        rest = self._lines.rest()
        events = self._read([rest])
        if not self._over:
            return [*events, self._stop(self._reader.end() or BadLine("broken", CUT_SHORT))]
        if isinstance(events[-1], BadLine) and rest.lstrip().startswith(
            (b"{", b"data:")
        ):  # torn, not a foreign server's
            end = self._reader.end()
            if end is not None:
                return [*events[:-1], end]
            events[-1] = BadLine("broken", f"{CUT_SHORT}, in the middle of a line")
        return events

    def _read(self, lines: list[bytes]) -> list[Event]:
        events: list[Event] = []
        for line in lines:
            if not line.strip():
                continue
            if len(line) > self._max_line:
                return [*events, self._stop(BadLine("too_large", f"a line of more than {_size(self._max_line)}"))]
            for event in self._reader.line(line):
                events.append(event)
                if not isinstance(event, (StreamPiece, StreamLast)):
                    return [*events[:-1], self._stop(event)]
        return events

    def _stop(self, last: Event) -> Event:
        self._over = True
        self._lines.rest()
        return last


def read_object(text: str) -> dict[str, Any] | BadLine:
    """Read a line that must be a JSON object."""
    try:
        value = load_json(text)
    except ValueError:
        return BadLine("broken", "what came is no line of JSON", text)
    if not isinstance(value, dict):
        return BadLine("broken", "what came is JSON, but no object", text)
    return value


def read_part(message: dict[str, Any], key: str, kind: type) -> Any:
    """Return what a message has under ``key``, the empty value of its kind where it has nothing.

    Raises:
        TypeError: where it is of another kind.

    """
    value = message.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise TypeError(f"{key} is no {kind.__name__}")
    return value


def unreadable(text: str) -> BadLine:
    """Report that an object is no part of a reply."""
    return BadLine("broken", "what came has no message that can be read", text)


def _size(count: int) -> str:
    return f"{count / 2**20:g} MiB" if count >= 2**20 else f"{count} bytes"
