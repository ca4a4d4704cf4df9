"""notation: how Go, and so the server, writes and reads JSON, times, durations, names and refusals."""

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

# --- how the server refuses a request, in the exact words that clients match on.


QUEUE_FULL = "server busy, please try again.  maximum pending requests exceeded"
ENGINE_GONE = "an error was encountered while running the model: unexpected EOF"
ENGINE_STOPPED = (
    "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, "
    "check ollama server logs for details"
)
NO_IMAGES = "Multimodal data provided, but model does not support multimodal requests."
TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt, "
    "adjust the context length in settings, or use a model with a longer context length"
)


class Refusal(Exception):
    """The server's no: a status and the text of `{"error": …}`."""

    def __init__(self, status: int, error: str) -> None:
        """Refuse with this status and these words."""
        super().__init__(error)
        self.status = status
        self.error = error


class EngineRefusal(Refusal):
    """The engine's no; `streamed` says whether it comes where the lines of a stream were to come."""

    streamed = False


def engine_error(message: str, type: str = "invalid_request_error", code: int = 400, **details: Any) -> str:
    """What the engine says when it refuses: JSON, which Ollama passes on as text."""
    error = {"code": code, "message": message, "type": type, **details}
    return json.dumps({"error": error}, ensure_ascii=False, separators=(",", ":"))


def refused(message: str, type: str = "invalid_request_error", **details: Any) -> EngineRefusal:
    """The engine's refusal with JSON inside the text."""
    return EngineRefusal(400, engine_error(message, type, **details))


def exceeds(tokens: int, window: int) -> EngineRefusal:
    """The engine's refusal of a prompt that does not fit its window."""
    sizes = f"request ({tokens} tokens) exceeds the available context size ({window} tokens)"
    details = {"n_prompt_tokens": tokens, "n_ctx": window}
    return refused(f"{sizes}, try increasing it", "exceed_context_size_error", **details)


def error_object(path: str, status: int, error: str) -> dict[str, Any]:
    """The body of an error: flat, or nested where the path speaks OpenAI's language."""
    if not path.startswith("/v1/"):
        return {"error": error}
    kinds = {400: "invalid_request_error", 404: "not_found_error"}
    return {"error": {"message": error, "type": kinds.get(status, "api_error"), "param": None, "code": None}}


# --- JSON and times as Go writes them.


_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def escaped(text: str) -> str:
    """JSON text with the characters escaped that Go escapes for the sake of HTML and JavaScript."""
    for character, escape in _ESCAPED.items():
        if character in text:
            text = text.replace(character, escape)
    return text


def dumps(value: Any) -> str:
    """A value as compact JSON text."""
    return escaped(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def quoted(text: str) -> str:
    """A string as JSON text, by the shortest way."""
    return escaped(encode_basestring(text))


def encode(value: Any) -> bytes:
    """A value as the bytes of compact JSON."""
    return utf8(dumps(value))


def utf8(text: str) -> bytes:
    """Text as UTF-8; half of a surrogate pair is U+FFFD to Go."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _LONE_SURROGATE.sub("\ufffd", text).encode()


def rfc3339(nanoseconds: int) -> str:
    """A UTC time with as many digits of a second as are not trailing zeros."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    if not rest:
        return _to_the_second(seconds) + "Z"
    return f"{_to_the_second(seconds)}.{rest:09d}".rstrip("0") + "Z"


@lru_cache(maxsize=64)
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


# --- how long a model stays loaded, in the ways a request may say it.


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_TERM = re.compile(r"(\d+\.?\d*|\.\d+)([^\d.]*)")

FOREVER = math.inf


def keep_alive(value: Any) -> float | None:
    """Seconds, `FOREVER`, or None where the request says nothing."""
    if value is None:
        return None
    if isinstance(value, str):
        seconds = go_duration(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise Refusal(400, f"Unsupported type: '{_go_type(value)}'")
    return FOREVER if seconds < 0 else seconds


def go_duration(text: str) -> float:
    """The seconds of a Go duration such as `1h30m`."""
    rest = text.removeprefix("-") if text.startswith("-") else text.removeprefix("+")
    if rest == "0":
        return 0.0
    total, position = 0.0, 0
    while position < len(rest):
        term = _TERM.match(rest, position)
        if term is None:
            break
        number, unit = term.groups()
        if not unit:
            raise Refusal(400, f"time: missing unit in duration {dumps(text)}")
        if unit not in _UNITS:
            raise Refusal(400, f"time: unknown unit {dumps(unit)} in duration {dumps(text)}")
        total, position = total + float(number) * _UNITS[unit], term.end()
    if position < len(rest) or not rest:
        raise Refusal(400, f"time: invalid duration {dumps(text)}")
    return -total if text.startswith("-") else total


def _go_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "[]interface {}" if isinstance(value, list) else "map[string]interface {}"


# --- a model's name in its parts, `[host/][namespace/]model[:tag]`.


_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")

DEFAULT_HOST, DEFAULT_NAMESPACE, DEFAULT_TAG = "registry.ollama.ai", "library", "latest"


@dataclass(frozen=True)
class Name:
    """A name with nothing left out."""

    host: str
    namespace: str
    model: str
    tag: str

    @property
    def full(self) -> str:
        """The name with every default spelled out."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def short(self) -> str:
        """The name as lists show it: no defaults, but always a tag."""
        name = f"{self.model}:{self.tag}"
        if self.namespace != DEFAULT_NAMESPACE or self.host != DEFAULT_HOST:
            name = f"{self.namespace}/{name}"
        return name if self.host == DEFAULT_HOST else f"{self.host}/{name}"

    @property
    def key(self) -> str:
        """What names of the same model have in common: case does not matter."""
        return self.full.casefold()


@lru_cache(maxsize=1024)
def parse(text: str) -> Name | None:
    """The parts of a name, or None if it is malformed."""
    *places, last = text.strip().split("/")
    if len(places) > 2:
        return None
    host, namespace = [DEFAULT_HOST, DEFAULT_NAMESPACE][: 2 - len(places)] + places
    model, colon, tag = last.partition(":")
    tag = tag if colon else DEFAULT_TAG
    fits = _HOST.fullmatch(host) and _NAMESPACE.fullmatch(namespace)
    fits = fits and _PART.fullmatch(model) and _PART.fullmatch(tag)
    return Name(host, namespace, model, tag) if fits else None
