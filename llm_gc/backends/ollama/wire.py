"""Ollama's messages: the request bodies with their options and thinking level, and the streamed lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from llm_gc.backends.http.raw_prompt import going_on
from llm_gc.backends.http.stream import (
    BadLine,
    ErrorLine,
    Event,
    StreamEnd,
    StreamPiece,
    nanoseconds_to_seconds,
    natural,
    read_error,
    read_object,
    read_part,
    unreadable,
)
from llm_gc.protocol import Ask, Tokens

LEAST = "low"
"""The level at which a model thinks that cannot be told not to."""

_LEVELED = ("gptoss", "gpt-oss")
_FIXED, _FIXED_FOR_GEMMA = (0, 31), (0, 21, 1)
_PARSER = re.compile(r'^PARSER\s+"?([\w.-]+)', re.MULTILINE)


class Ability(NamedTuple):
    """What matters of a model for thinking; ``capabilities`` are none where the server does not tell."""

    capabilities: tuple[str, ...] | None = None
    is_leveled: bool = False
    parser: str = ""
    refuses_levels: bool = False

    def drops_format(self, version: str) -> bool:
        """Check whether a server of this version is known to drop a format where the model is told not to think."""
        if not self.parser or self.is_leveled or "thinking" not in (self.capabilities or ()):
            return False
        return _number(version) < (_FIXED_FOR_GEMMA if self.parser == "gemma4" else _FIXED)


def ability_of(shown: dict[str, Any]) -> Ability:
    """Read what /api/show tells of a model."""
    able, details, info = shown.get("capabilities"), shown.get("details"), shown.get("model_info")
    family = details.get("family") if isinstance(details, dict) else None
    architecture = info.get("general.architecture") if isinstance(info, dict) else None
    written = _PARSER.search(str(shown.get("modelfile") or ""))
    parser = str(shown.get("parser") or (written[1] if written else ""))
    capabilities = tuple(str(word) for word in able) if isinstance(able, list) else None
    return Ability(capabilities, family in _LEVELED or architecture in _LEVELED or parser == "harmony", parser)


def thinking(wanted: bool | str | None, ability: Ability, version: str = "", *, formed: bool = False) -> Any:
    """Return what to say about thinking, ``None`` for nothing; ``formed`` tells that a chat is sent with a format.

    A model that cannot think is told nothing, one that can and need not is told not to.
    """
    if ability.is_leveled:
        return wanted or LEAST
    if ability.capabilities is None:  # a server that does not tell: nothing of our own is sent
        return wanted
    if "thinking" not in ability.capabilities:
        return None
    if not wanted and formed and ability.drops_format(version):
        return True
    if isinstance(wanted, str) and ability.refuses_levels:
        return True
    return False if wanted is None else wanted


def _number(version: str) -> tuple[int, ...]:
    """Return a version as numbers; one that cannot be read is the oldest."""
    found = re.match(r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?", version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


LOAD_OPTIONS = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict")
"""The options by which a server loads a model: another value of one of them, and it loads it again."""

CHAT, GENERATE = "/api/chat", "/api/generate"

# Neither cut a prompt that does not fit nor slide the window: both would pass without a word. Shift is also
# something that a model is loaded with, so a request without it would load the model again.
_WHOLE = {"truncate": False, "shift": False}


def load_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of ``options`` that a model is loaded with."""
    return {name: options[name] for name in LOAD_OPTIONS if options.get(name) is not None}


def load_body(model: str, options: Mapping[str, Any], keep_alive: int | None = None) -> dict[str, Any]:
    """Return the request that loads ``model`` and asks nothing; ``keep_alive`` is as the server has it where none."""
    body = {"model": model, "stream": True, "options": load_options(options), **_WHOLE}
    return body if keep_alive is None else {**body, "keep_alive": keep_alive}


def reply_request(ask: Ask, ability: Ability, keep_alive: int, version: str = "") -> tuple[str, dict[str, Any]]:
    """Return the path and the body of the request for a reply.

    ``ability`` is the model's, ``version`` the server's; ``keep_alive`` are the seconds for which the model is to stay
    loaded after it.
    """
    body: dict[str, Any] = {
        "model": ask.model,
        "stream": True,
        "options": dict(ask.options),
        "keep_alive": keep_alive,
        **_WHOLE,
    }
    if ask.format is not None:
        body["format"] = ask.format
    formed = ask.format is not None and ask.casting.api == "chat"
    think = thinking(ask.casting.think, ability, version, formed=formed)
    if think is not None:
        body["think"] = think
    if ask.casting.api == "chat":
        return CHAT, {**body, "messages": ask.request.messages}
    raw = {"raw": True} if ask.casting.raw else {}
    return GENERATE, {**body, "prompt": going_on(ask), **raw}


class Lines:
    """Read the lines of one reply. It is whole with ``done: true``, and with nothing else."""

    def line(self, line: bytes) -> list[Event]:
        """Return the events of one line: none, one, or a last piece and the end."""
        text = line.decode("utf-8", "replace")
        value = read_object(text)
        if isinstance(value, BadLine):
            return [value]
        if value.get("error") is not None:
            return [ErrorLine(read_error(value["error"]))]
        try:
            piece = _piece(value)
        except TypeError:
            return [unreadable(text)]
        events: list[Event] = [piece] if piece.text or piece.thinking or piece.tool_calls else []
        return [*events, _end(value)] if value.get("done") is True else events

    def end(self) -> StreamEnd | None:
        """Return nothing: a stream that just ends was cut short."""
        return None


def _piece(value: dict[str, Any]) -> StreamPiece:
    """Return what a line says: in a message where it is of a chat, under ``response`` where it is not."""
    message = value.get("message")
    if message is None:
        text, thinking = read_part(value, "response", str), read_part(value, "thinking", str)
        return StreamPiece(text, thinking, tuple(read_part(value, "tool_calls", list)))
    if not isinstance(message, dict):
        raise TypeError("the message is no object")
    text, thinking = read_part(message, "content", str), read_part(message, "thinking", str)
    return StreamPiece(text, thinking, tuple(read_part(message, "tool_calls", list)))


def _end(value: dict[str, Any]) -> StreamEnd:
    reason, model = value.get("done_reason"), value.get("model")
    return StreamEnd(
        reason=reason if isinstance(reason, str) and reason else None,
        model=model if isinstance(model, str) and model else None,
        tokens=Tokens(natural(value.get("prompt_eval_count")), natural(value.get("eval_count"))),
        load=nanoseconds_to_seconds(value.get("load_duration")),
        prompt=nanoseconds_to_seconds(value.get("prompt_eval_duration")),
        generation=nanoseconds_to_seconds(value.get("eval_duration")),
        total=nanoseconds_to_seconds(value.get("total_duration")),
    )
