"""call: a chat or generate request, its fields checked and in their right types."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from . import decode
from .durations import keep_alive
from .errors import Refusal
from .gojson import dumps
from .model import Message

Kind = Literal["chat", "generate", "openai", "completion"]

_LEVELS = ("high", "medium", "low", "max")
_THINK = '"high", "medium", "low", "max", true, or false'


@dataclass(frozen=True)
class Call:
    """What a request asks of a model; without messages it asks only to load or unload it."""

    kind: Kind
    model: str
    messages: tuple[Message, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    stream: bool = True
    format: Any = None
    think: bool | str | None = None
    tools: bool = False
    keep_alive: float | None = None
    truncate: bool = True
    shift: bool = True
    top_logprobs: int | None = None
    raw: bool = False
    suffix: bool = False
    template: bool = False
    context: int = 0
    usage: bool = False

    @property
    def may_drop(self) -> bool:
        """Whether old messages may be dropped: not where the prompt is given as it is."""
        return self.truncate and not (self.raw or self.template or self.suffix)


def read_chat(raw: bytes) -> Call:
    """A request to /api/chat."""
    return chat(decode.read(raw, decode.CHAT))


def chat(body: Mapping[str, Any], kind: Kind = "chat", usage: bool = False) -> Call:
    """A chat request whose JSON has been read."""
    messages = [message or {} for message in body.get("messages") or ()]
    return Call(
        kind=kind,
        messages=tuple(
            Message((message.get("role") or "").lower(), message.get("content") or "", _images(message))
            for message in messages
        ),
        tools=bool(body.get("tools")),
        usage=usage,
        **_common(body),
    )


def read_generate(raw: bytes) -> Call:
    """A request to /api/generate: its prompt is one message of the user."""
    body = decode.read(raw, decode.GENERATE)
    if body.get("raw") and (body.get("system") or body.get("template") or body.get("context")):
        raise Refusal(400, "raw mode does not support template, system, or context")
    if (template := body.get("template") or "").count("{{") != template.count("}}"):
        raise Refusal(500, "template: :1: unclosed action")
    return Call(
        kind="generate",
        messages=_prompt(body),
        raw=bool(body.get("raw")),
        suffix=bool(body.get("suffix")),
        template=bool(template),
        context=len(body.get("context") or ()),
        **_common(body),
    )


def _prompt(body: Mapping[str, Any]) -> tuple[Message, ...]:
    prompt = Message("user", body.get("prompt") or "", _images(body))
    if not prompt.content and not prompt.images:
        return ()
    return (Message("system", body["system"]), prompt) if body.get("system") else (prompt,)


def _common(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that all kinds of calls have."""
    top_logprobs = body.get("top_logprobs") or 0
    if not 0 <= top_logprobs <= 20:
        raise Refusal(400, "top_logprobs must be between 0 and 20")
    return {
        "model": body.get("model") or "",
        "stream": body.get("stream") is not False,
        "truncate": body.get("truncate") is not False,
        "shift": body.get("shift") is not False,
        "keep_alive": keep_alive(body.get("keep_alive")),
        "think": _think(body.get("think")),
        "format": None if body.get("format") == "" else body.get("format"),
        "options": body.get("options") or {},
        "top_logprobs": top_logprobs if body.get("logprobs") else None,
    }


def _think(value: Any) -> bool | str | None:
    if value is None or isinstance(value, bool) or value in _LEVELS:
        return value  # type: ignore[no-any-return]
    if isinstance(value, str):
        raise Refusal(400, f"invalid think value: {dumps(value)} (must be {_THINK})")
    raise Refusal(400, f"think must be a boolean or string ({_THINK})")


def _images(holder: Mapping[str, Any]) -> int:
    """How many images there are; each must be base64."""
    images = holder.get("images") or ()
    for image in images:
        try:
            base64.b64decode(image, validate=True)
        except binascii.Error:
            raise Refusal(400, "illegal base64 data at input byte 0") from None
    return len(images)


def check_format(wanted: Any) -> None:
    """Refuse a format that is neither "json" nor a schema."""
    if wanted is not None and wanted != "json" and not isinstance(wanted, dict):
        given = dumps(dumps(wanted))
        raise Refusal(500, f'invalid format: {given}; expected "json" or a valid JSON Schema object')
