"""shapes: how each endpoint writes a piece of a reply, as a line of a stream or as a whole answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from .acts import JSON, NDJSON
from .gojson import encode, quoted, rfc3339, utf8


class Done(NamedTuple):
    """What only the end of a reply knows."""

    reason: str
    counters: Mapping[str, Any]


class Part(NamedTuple):
    """A piece of a reply; several of them add up to a whole one."""

    content: str = ""
    thinking: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    logprobs: Sequence[Mapping[str, Any]] = ()
    done: Done | None = None


def joined(parts: Sequence[Part]) -> Part:
    """Several parts as one."""
    return Part(
        "".join(part.content for part in parts),
        "".join(part.thinking for part in parts),
        [call for part in parts for call in part.tool_calls],
        [logprob for part in parts for logprob in part.logprobs],
        next((part.done for part in parts if part.done), None),
    )


class Shape:
    """The lines of /api/chat; the other endpoints differ in a few places."""

    stream_type = NDJSON
    whole_type = JSON

    def __init__(self, model: str, clock: Callable[[], int]) -> None:
        """Write for a model, under the name that the request gave it."""
        self.model = model
        self.clock = clock
        self.front = f'{{"model":{quoted(model)},"created_at":"'

    def line(self, part: Part) -> bytes:
        """A part as a line of the stream."""
        if part.thinking or part.tool_calls or part.logprobs or part.done:
            return self.whole(part) + b"\n"
        return self._plain(part.content)

    def _plain(self, content: str) -> bytes:
        """The line that most lines are, without the detour of a dictionary."""
        message = f'"message":{{"role":"assistant","content":{quoted(content)}}}'
        return utf8(f'{self.front}{rfc3339(self.clock())}",{message},"done":false}}\n')

    def whole(self, part: Part) -> bytes:
        """A part as an object of its own."""
        answer: dict[str, Any] = {"model": self.model, "created_at": rfc3339(self.clock())}
        answer |= self.said(part) | {"done": part.done is not None}
        if part.logprobs:
            answer["logprobs"] = part.logprobs
        if part.done:
            answer |= {"done_reason": part.done.reason} if part.done.reason else {}
            answer |= {name: value for name, value in part.done.counters.items() if value}
        return encode(answer)

    def said(self, part: Part) -> dict[str, Any]:
        """The keys that hold what was said."""
        message: dict[str, Any] = {"role": "assistant", "content": part.content}
        message |= {"thinking": part.thinking} if part.thinking else {}
        message |= {"tool_calls": part.tool_calls} if part.tool_calls else {}
        return {"message": message}

    def nothing(self) -> bytes:
        """The whole answer when the engine said nothing at all."""
        empty = {"role": "", "content": ""}
        return encode({"model": "", "created_at": "0001-01-01T00:00:00Z", "message": empty, "done": False})

    def failure(self, error: str) -> bytes:
        """The line of a stream that breaks."""
        return encode({"error": error}) + b"\n"

    def end(self) -> bytes:
        """What ends a stream after its last part."""
        return b""


class GenerateShape(Shape):
    """The lines of /api/generate."""

    def _plain(self, content: str) -> bytes:
        response = f'"response":{quoted(content)}'
        return utf8(f'{self.front}{rfc3339(self.clock())}",{response},"done":false}}\n')

    def said(self, part: Part) -> dict[str, Any]:
        """The reply is not in a message here."""
        said: dict[str, Any] = {"response": part.content}
        said |= {"thinking": part.thinking} if part.thinking else {}
        return said | ({"tool_calls": part.tool_calls} if part.tool_calls else {})

    def nothing(self) -> bytes:
        """The whole answer when the engine said nothing at all."""
        return encode({"model": "", "created_at": "0001-01-01T00:00:00Z", "response": "", "done": False})
