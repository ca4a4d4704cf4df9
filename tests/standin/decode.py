"""decode: a request's body as Go reads it, and Go's words where it cannot."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import Refusal

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True)
class Go:
    """A Go type: what JSON it takes, what Go calls it, and what is inside."""

    takes: str
    name: str
    fields: Mapping[str, "Go"] = field(default_factory=dict)
    items: "Go | None" = None

    def surely(self, value: Any) -> bool:
        """Whether a value needs no closer look, which is so for most."""
        return value.__class__ is _SIMPLE.get(self.takes)


_SIMPLE = {"string": str, "bool": bool, "number": int}
STRING, BOOL = Go("string", "string"), Go("bool", "bool")
INT, OBJECT = Go("number", "int"), Go("object", "map[string]interface {}")
IMAGES = Go("array", "[]api.ImageData", items=Go("string", "api.ImageData"))
COMMON = {"model": STRING, "stream": BOOL, "options": OBJECT, "truncate": BOOL, "shift": BOOL}
COMMON |= {"logprobs": BOOL, "top_logprobs": INT}

_MESSAGE = Go(
    "object",
    "api.Message",
    {"role": STRING, "content": STRING, "thinking": STRING, "tool_name": STRING, "tool_call_id": STRING}
    | {"images": IMAGES, "tool_calls": Go("array", "[]api.ToolCall", items=Go("object", "api.ToolCall"))},
)
CHAT = Go(
    "object",
    "api.ChatRequest",
    COMMON
    | {"messages": Go("array", "[]api.Message", items=_MESSAGE)}
    | {"tools": Go("array", "api.Tools", items=Go("object", "api.Tool"))},
)
GENERATE = Go(
    "object",
    "api.GenerateRequest",
    COMMON
    | {"prompt": STRING, "suffix": STRING, "system": STRING, "template": STRING, "raw": BOOL}
    | {"context": Go("array", "[]int", items=INT), "images": IMAGES},
)
SHOW = Go("object", "api.ShowRequest", {"model": STRING, "name": STRING, "system": STRING, "options": OBJECT})
PULL = Go("object", "api.PullRequest", {"model": STRING, "name": STRING, "stream": BOOL, "insecure": BOOL})
OPENAI = Go("object", "openai.ChatCompletionRequest", {"model": STRING, "stream": BOOL})


def read(raw: bytes, type: Go) -> dict[str, Any]:
    """The object in a body; what follows the first JSON value does not matter."""
    text = raw.decode("utf-8", "replace").lstrip(" \t\r\n")
    if not text:
        raise Refusal(400, "missing request body")
    try:
        value, _ = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        raise Refusal(400, _complaint(text, error)) from None
    except RecursionError:
        raise Refusal(400, "exceeded max depth") from None
    _check(value, type, type.name.rpartition(".")[2], "")
    return dict(value or {})


def _no_constant(name: str) -> Any:
    raise Refusal(400, f"invalid character '{name[0]}' looking for beginning of value")


_DECODER = json.JSONDecoder(strict=True, parse_constant=_no_constant)


def _check(value: Any, type: Go, struct: str, path: str) -> None:
    """Refuse a value of a type that Go would not unmarshal; null fits everywhere."""
    if value is None:
        return
    found = _kind(value)
    if found != type.takes:
        into = f"struct field {struct}.{path}" if path else "value"
        raise Refusal(400, f"json: cannot unmarshal {found} into Go {into} of type {type.name}")
    if type.items:
        for item in value:
            _check(item, type.items, struct, path)
    if type.fields:
        for key, held in value.items():
            inner = type.fields.get(key)
            if inner and not inner.surely(held):
                _check(held, inner, struct, f"{path}.{key}" if path else key)


def _kind(value: Any) -> str:
    """What JSON calls the type of a value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _complaint(text: str, error: json.JSONDecodeError) -> str:
    """The position at which Python stopped reading, in Go's words."""
    rest = text[error.pos + error.msg.startswith(("Invalid \\", "Illegal trailing")) :]
    if "control character" not in error.msg:
        rest = rest.lstrip(" \t\r\n")
    if not rest or error.msg.startswith("Unterminated string"):
        return "unexpected EOF"
    return f"invalid character {_quoted(rest[0])} {_where(text[: error.pos], error.msg)}"


def _where(before: str, message: str) -> str:
    """What Go was doing when it met the character."""
    for start, words in _PLACES.items():
        if message.startswith(start):
            return words
    opened = ""
    for bracket in re.findall(r"[][{}]", _STRING.sub("", before)):
        opened = opened + bracket if bracket in "[{" else opened[:-1]
    return "after array element" if opened.endswith("[") else "after object key:value pair"


_PLACES = {
    "Expecting property name": "looking for beginning of object key string",
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
    "Illegal trailing comma before end of array": "looking for beginning of value",
    "Expecting value": "looking for beginning of value",
    "Expecting ':'": "after object key",
    "Invalid control character": "in string literal",
    "Invalid \\u": "in \\u hexadecimal character escape",
    "Invalid \\escape": "in string escape code",
}


def _quoted(character: str) -> str:
    """A character as Go quotes it in an error."""
    return {"'": r"'\''", '"': "'\"'"}.get(character, f"'{json.dumps(character)[1:-1]}'")
