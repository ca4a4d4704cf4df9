"""gojson: JSON and times as Go writes them."""

import json
import re
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

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
