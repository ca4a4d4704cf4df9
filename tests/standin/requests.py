"""requests: models and their options, and the bodies of requests and answers."""

import base64
import binascii
import hashlib
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

from .notation import Name, Refusal, dumps, encode, keep_alive, parse, quoted, refused, rfc3339, utf8
from .transport import JSON, NDJSON

# --- a model as the stand-in knows it: its names, its window, how it turns messages into tokens.


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: str
    content: str
    images: int = 0


Template = Callable[[Sequence[Message], bool], str]
"""Messages, and whether the model may think, to the text of a prompt."""

_MARK = re.compile(r"(<\|\w+\|>|</?think>)")


class TemplateError(Exception):
    """A strict template does not want these messages."""


def chatml(messages: Sequence[Message], think: bool) -> str:
    """The template of most models: each message between two marks, then the assistant's turn is opened."""
    turns = [f"<|im_start|>{message.role}\n{message.content}<|im_end|>\n" for message in messages]
    return "".join(turns) + "<|im_start|>assistant\n"


def four_characters(text: str) -> int:
    """About what real tokenisers do: a token for four characters, and one for each mark."""
    return sum(1 if index % 2 else -(-len(piece) // 4) for index, piece in enumerate(_MARK.split(text)))


def each_character(text: str) -> int:
    """A token for each character, and one for each mark."""
    return len(characters(text))


def characters(text: str) -> list[str]:
    """Text as the tokens of `each_character`."""
    pieces = enumerate(_MARK.split(text))
    return [token for index, piece in pieces for token in ([piece] if index % 2 else piece)]


@dataclass(frozen=True)
class Model:
    """A model of the stand-in; `name` is all it needs.

    `context` is the window it was trained for, `path` says who builds its prompts ("rendered":
    Ollama, "native": the engine), `parameters` are the options that the model brings along,
    `slots` is how many requests it answers at a time. `parser` is the server's own one for its replies;
    without `takes_levels` a level of thinking is refused, unless the family is gpt-oss.
    """

    name: str
    context: int = 4096
    path: Literal["rendered", "native"] = "rendered"
    capabilities: tuple[str, ...] = ("completion",)
    template: Template = chatml
    tokens: Callable[[str], int] = four_characters
    bos: bool = True
    system: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    load_seconds: float = 0.0
    slots: int = 1
    family: str = "llama"
    parser: str = ""
    takes_levels: bool = True
    parameter_size: str = "1.5B"
    quantization: str = "Q4_K_M"
    size: int = 986_061_892
    modified_at: str = "2026-01-02T03:04:05.1+01:00"

    @cached_property
    def named(self) -> Name:
        """The name in its parts."""
        name = parse(self.name)
        assert name is not None, f"not a model's name: {self.name!r}"
        return name

    @cached_property
    def digest(self) -> str:
        """64 hex characters that change with whatever the model is made of."""
        template = getattr(self.template, "__name__", "")
        made_of = (self.named.full, template, self.system, sorted(self.parameters.items()))
        return hashlib.sha256(repr(made_of).encode()).hexdigest()

    def can(self, capability: str) -> bool:
        """Whether the model has a capability."""
        return capability in self.capabilities

    def window(self, options: Mapping[str, Any], automatic: int) -> int:
        """The `num_ctx` really in force: as asked for or automatic, within what the model can do."""
        wanted: int = options.get("num_ctx", automatic)
        return max(min(wanted, self.context), 2048 if self.can("vision") else 4)

    def count(self, text: str) -> int:
        """How many tokens a prompt has, the one at its beginning included."""
        return self.tokens(text) + self.bos


# --- the sampling and load options of a request, checked as the server checks them.


_NAMES = {
    "integer": "num_keep seed num_predict top_k repeat_last_n "
    "num_ctx num_batch num_gpu main_gpu num_thread draft_num_predict",
    "float32": "temperature top_p min_p typical_p repeat_penalty presence_penalty frequency_penalty",
    "boolean": "use_mmap",
    "array": "stop",
}
_TYPES = {name: kind for kind, names in _NAMES.items() for name in names.split()}

_LARGEST = 2**31 - 1
_RANGES = {"repeat_last_n": ("repeat_last_n", 0), "num_keep": ("n_keep", -1)}


@dataclass(frozen=True)
class LoadOptions:
    """What a model is loaded with: a request that differs in one of these makes it load again."""

    num_ctx: int
    num_batch: int = 512
    num_gpu: int = -1
    main_gpu: int | None = None
    use_mmap: bool | None = None
    num_thread: int = 0
    draft_num_predict: int = 0
    shift: bool = True

    def fits(self, wanted: "LoadOptions") -> bool:
        """Whether a model loaded like this serves a request for `wanted`; no wish for GPUs fits any."""
        if wanted.num_gpu < 0 <= self.num_gpu:
            wanted = replace(wanted, num_gpu=self.num_gpu)
        return self == wanted


def read_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The known options that have a value, in their right types."""
    known = {name: value for name, value in options.items() if name in _TYPES and value is not None}
    return {name: _converted(name, value) for name, value in known.items()}


def check_ranges(options: Mapping[str, Any]) -> None:
    """The engine's own limits, which it looks at only when a model is loaded."""
    for name, (key, least) in _RANGES.items():
        value = options.get(name, least)
        if not least <= value <= _LARGEST:
            between = f"{least} <= value <= {_LARGEST}"
            raise refused(f"Field '{key}': Value must be between {between}, but got {value}")


def load_options(options: Mapping[str, Any], num_ctx: int, shift: bool) -> LoadOptions:
    """The load options among a request's options."""
    names = ("num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict")
    given = {name: options[name] for name in names if name in options}
    return LoadOptions(num_ctx=num_ctx, shift=shift, **given)


def _converted(name: str, value: Any) -> Any:
    """A value as its option's type, fractions of integers cut off."""
    expected = _TYPES[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if expected in ("integer", "float32") and number:
        return int(value) if expected == "integer" else float(value)
    if expected == "boolean" and isinstance(value, bool):
        return value
    if expected == "array" and isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            return tuple(value)
        expected = "an array of strings"
    raise Refusal(500, f'option "{name}" must be of type {expected}')


# --- a request's body as Go reads it, and Go's words where it cannot.


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


def read_body(raw: bytes, type: Go) -> dict[str, Any]:
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


# --- a small value that fits a JSON Schema, for schemas as simple as people write them.


Schema = Mapping[str, Any]

_WORDS = ("yes", "a clear name", "the edge cases", "what was agreed", "the simplest way", "the data")

# Deeper than this only what is required is filled in, so that a recursive schema reaches an end.
_DEEPEST = 6


def check_schema(schema: Schema) -> None:
    """Refuse a schema that the engine cannot turn into a grammar."""
    kinds = schema.get("type", [])
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind not in _MAKERS:
            raise refused(f"JSON schema conversion failed:\nUnrecognized schema: {json.dumps(schema)}")


def example(schema: Schema, chance: random.Random) -> Any:
    """A value that fits; where the schema leaves a choice, chance decides."""
    return _Maker(schema, chance).value(schema, 0)


class _Maker:
    """Knows the whole schema, so that references can be followed."""

    def __init__(self, root: Schema, chance: random.Random) -> None:
        self.root = root
        self.chance = chance

    def value(self, schema: Schema, depth: int) -> Any:
        if "$ref" in schema:
            return self.value(self._referred(schema["$ref"]), depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.chance.choice(list(schema["enum"]))
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                return self.value(schema[several][-1 if depth > _DEEPEST else 0], depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        return _MAKERS[kind[0] if isinstance(kind, list) else kind](self, schema, depth)

    def object(self, schema: Schema, depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        fields = schema.get("properties", {}).items()
        wanted = [(name, inner) for name, inner in fields if name in required or depth <= _DEEPEST]
        return {name: self.value(inner, depth + 1) for name, inner in wanted}

    def array(self, schema: Schema, depth: int) -> list[Any]:
        size = schema.get("minItems", min(1 if depth <= _DEEPEST else 0, schema.get("maxItems", 1)))
        return [self.value(schema.get("items", {}), depth + 1) for _ in range(size)]

    def string(self, schema: Schema, depth: int) -> str:
        text = self.chance.choice(_WORDS).ljust(schema.get("minLength", 0), ".")
        return text[: schema.get("maxLength", len(text))]

    def integer(self, schema: Schema, depth: int) -> int:
        low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 11) - 1)
        return self.chance.randint(int(low), max(int(low), int(high)))

    def number(self, schema: Schema, depth: int) -> float:
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 1))
        return min(high, max(low, round(self.chance.uniform(low, high), 2)))  # type: ignore[no-any-return]

    def boolean(self, schema: Schema, depth: int) -> bool:
        return self.chance.random() < 0.5

    def null(self, schema: Schema, depth: int) -> None:
        return None

    def _referred(self, reference: str) -> Schema:
        """What a reference such as `#/$defs/Person` points at."""
        place: Any = self.root
        for key in reference.split("/")[1:]:
            place = place[key]
        return place  # type: ignore[no-any-return]


_KINDS = ("object", "array", "string", "integer", "number", "boolean", "null")
_MAKERS: dict[str, Callable[[_Maker, Schema, int], Any]] = {kind: getattr(_Maker, kind) for kind in _KINDS}


# --- how each endpoint writes a piece of a reply, as a line of a stream or as a whole answer.


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


# --- a chat or generate request, its fields checked and in their right types.


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
    return chat(read_body(raw, CHAT))


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
    body = read_body(raw, GENERATE)
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
