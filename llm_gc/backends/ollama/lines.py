"""The lines of /api/chat and /api/generate: what each of them says of the reply."""

from __future__ import annotations

from typing import Any

from llm_gc.backends.wire.events import Bad, End, ErrorLine, Event, Piece, read_object, read_part, unreadable
from llm_gc.backends.wire.said import read_error
from llm_gc.backends.wire.text import natural, seconds
from llm_gc.protocol import Tokens


class Lines:
    """Read the lines of one reply. It is whole with ``done: true``, and with nothing else."""

    def line(self, line: bytes) -> list[Event]:
        """Give the events of one line: none, one, or a last piece and the end."""
        text = line.decode("utf-8", "replace")
        value = read_object(text)
        if isinstance(value, Bad):
            return [value]
        if value.get("error") is not None:
            return [ErrorLine(read_error(value["error"]))]
        try:
            piece = _piece(value)
        except TypeError:
            return [unreadable(text)]
        events: list[Event] = [piece] if piece.text or piece.thinking or piece.tool_calls else []
        return [*events, _end(value)] if value.get("done") is True else events

    def end(self) -> End | None:
        """Give nothing: a stream that just ends was cut short."""
        return None


def _piece(value: dict[str, Any]) -> Piece:
    """Give what a line says: in a message where it is of a chat, under ``response`` where it is not."""
    message = value.get("message")
    if message is None:
        text, thinking = read_part(value, "response", str), read_part(value, "thinking", str)
        return Piece(text, thinking, tuple(read_part(value, "tool_calls", list)))
    if not isinstance(message, dict):
        raise TypeError("the message is no object")
    text, thinking = read_part(message, "content", str), read_part(message, "thinking", str)
    return Piece(text, thinking, tuple(read_part(message, "tool_calls", list)))


def _end(value: dict[str, Any]) -> End:
    reason, model = value.get("done_reason"), value.get("model")
    return End(
        reason=reason if isinstance(reason, str) and reason else None,
        model=model if isinstance(model, str) and model else None,
        tokens=Tokens(natural(value.get("prompt_eval_count")), natural(value.get("eval_count"))),
        load=seconds(value.get("load_duration")),
        prompt=seconds(value.get("prompt_eval_duration")),
        generation=seconds(value.get("eval_duration")),
        total=seconds(value.get("total_duration")),
    )
