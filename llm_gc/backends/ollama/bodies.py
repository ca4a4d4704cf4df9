"""What is sent: the body of a request for a reply, and of the empty one that only loads the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_gc.backends.ollama.thinking import Ability, thinking
from llm_gc.backends.wire.completion import going_on
from llm_gc.protocol import Ask

LOAD_OPTIONS = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict")
"""The options by which a server loads a model: another value of one of them, and it loads it again."""

CHAT, GENERATE = "/api/chat", "/api/generate"

# Neither cut a prompt that does not fit nor slide the window: both would pass without a word. Shift is also
# something that a model is loaded with, so a request without it would load the model again.
_WHOLE = {"truncate": False, "shift": False}


def load_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give those of ``options`` that a model is loaded with."""
    return {name: options[name] for name in LOAD_OPTIONS if options.get(name) is not None}


def load_body(model: str, options: Mapping[str, Any], keep_alive: int | None = None) -> dict[str, Any]:
    """Give the request that loads ``model`` and asks nothing; ``keep_alive`` is as the server has it where none."""
    body = {"model": model, "stream": True, "options": load_options(options), **_WHOLE}
    return body if keep_alive is None else {**body, "keep_alive": keep_alive}


def reply_request(ask: Ask, ability: Ability, keep_alive: int, version: str = "") -> tuple[str, dict[str, Any]]:
    """Give the path and the body of the request for a reply.

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
