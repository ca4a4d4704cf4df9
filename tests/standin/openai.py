"""openai: /v1/chat/completions and /v1/completions: their requests in the words of /api, and their own answers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import decode
from .call import Call, chat
from .errors import Refusal, error_object
from .gojson import dumps, encode
from .shapes import Done, Part, Shape

_SAME = ("temperature", "top_p", "seed", "stop", "frequency_penalty", "presence_penalty")
_OPTIONS = {name: name for name in _SAME}
_OPTIONS |= {"max_tokens": "num_predict", "max_completion_tokens": "num_predict"}


def read_openai(raw: bytes) -> Call:
    """A request to /v1/chat/completions."""
    body = decode.read(raw, decode.OPENAI)
    if not body.get("messages"):
        raise Refusal(400, "[] is too short - 'messages'")
    options = {ours: body[theirs] for theirs, ours in _OPTIONS.items() if body.get(theirs) is not None}
    if isinstance(options.get("stop"), str):
        options["stop"] = [options["stop"]]
    asked = {
        "model": body.get("model"),
        "messages": [{**message, "content": _text(message.get("content"))} for message in body["messages"]],
        "stream": bool(body.get("stream")),
        "options": options,
        "tools": body.get("tools"),
        "format": _format(body.get("response_format") or {}),
    }
    return chat(asked, "openai", usage=bool((body.get("stream_options") or {}).get("include_usage")))


def read_completion(raw: bytes) -> Call:
    """A request to /v1/completions: its prompt is all that the model reads."""
    body = decode.read(raw, decode.OPENAI)
    options = {ours: body[theirs] for theirs, ours in _OPTIONS.items() if body.get(theirs) is not None}
    asked = {
        "model": body.get("model"),
        "messages": [{"role": "user", "content": body.get("prompt") or ""}],
        "stream": bool(body.get("stream")),
        "options": options,
    }
    return chat(asked, "completion", usage=bool((body.get("stream_options") or {}).get("include_usage")))


def _text(content: Any) -> str:
    """The text of a message that may be given in parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def _format(wanted: Mapping[str, Any]) -> Any:
    schema = (wanted.get("json_schema") or {}).get("schema")
    return "json" if wanted.get("type") == "json_object" else schema


class OpenAIShape(Shape):
    """The events of /v1/chat/completions."""

    stream_type = "text/event-stream"
    whole_type = "application/json"

    def __init__(self, model: str, clock: Callable[[], int], usage: bool = False) -> None:
        """Write one completion; all its events share one id."""
        super().__init__(model, clock)
        self.usage = usage
        self.id = f"chatcmpl-{clock() // 1000 % 1000}"

    def line(self, part: Part) -> bytes:
        """A part as a server-sent event; the end is one or two events of its own."""
        events = b""
        if part.content or part.thinking or part.tool_calls:
            events += self._event([{"index": 0, "delta": self._message(part), "finish_reason": None}])
        if part.done:
            events += self._event([{"index": 0, "delta": {}, "finish_reason": part.done.reason or None}])
            if self.usage:
                events += self._event([], usage=_usage(part.done))
        return events

    def whole(self, part: Part) -> bytes:
        """A part as a whole completion."""
        done = part.done or Done("", {})
        choice = {"index": 0, "message": self._message(part), "finish_reason": done.reason or None}
        return encode(self._object("chat.completion") | {"choices": [choice], "usage": _usage(done)}) + b"\n"

    def nothing(self) -> bytes:
        """The whole answer when the engine said nothing at all."""
        return self.whole(Part())

    def failure(self, error: str) -> bytes:
        """The event of a stream that breaks."""
        return b"data: " + encode(error_object("/v1/", 500, error)) + b"\n\n"

    def end(self) -> bytes:
        """The mark at the end of the events."""
        return b"data: [DONE]\n\n"

    def _event(self, choices: Sequence[Mapping[str, Any]], **more: Any) -> bytes:
        event = self._object("chat.completion.chunk") | {"choices": choices} | more
        return b"data: " + encode(event) + b"\n\n"

    def _object(self, kind: str) -> dict[str, Any]:
        created = self.clock() // 1_000_000_000
        named = {"id": self.id, "object": kind, "created": created, "model": self.model}
        return named | {"system_fingerprint": "fp_ollama"}

    def _message(self, part: Part) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": part.content}
        message |= {"reasoning": part.thinking} if part.thinking else {}
        if part.tool_calls:
            message["tool_calls"] = [_as_text(call) for call in part.tool_calls]
        return message


class CompletionShape(OpenAIShape):
    """The events of /v1/completions: a text in place of a message."""

    def _event(self, choices: Sequence[Mapping[str, Any]], **more: Any) -> bytes:
        texts = [{**choice, "text": choice["delta"].get("content", "")} for choice in choices]
        return super()._event([{k: v for k, v in choice.items() if k != "delta"} for choice in texts], **more)


def _usage(done: Done) -> dict[str, int]:
    prompt, completion = done.counters.get("prompt_eval_count") or 0, done.counters.get("eval_count") or 0
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _as_text(call: Mapping[str, Any]) -> dict[str, Any]:
    """A tool call with its arguments as text, as OpenAI wants them."""
    function = dict(call["function"])
    index = function.pop("index", 0)
    function["arguments"] = dumps(function["arguments"])
    return {"id": call["id"], "index": index, "type": "function", "function": function}
