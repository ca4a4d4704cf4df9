"""What is sent: the body of a request for a reply, and of the empty one that only loads the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def reply_request(ask: Ask, capabilities: tuple[str, ...] | None, keep_alive: int) -> tuple[str, dict[str, Any]]:
    """Give the path and the body of the request for a reply.

    ``capabilities`` are the model's, none where they are not known; ``keep_alive`` are the seconds for which the model
    is to stay loaded after it.
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
    think = thinking(ask.casting.think, capabilities)
    if think is not None:
        body["think"] = think
    if ask.casting.api == "chat":
        return CHAT, {**body, "messages": ask.request.messages}
    raw = {"raw": True} if ask.casting.raw else {}
    return GENERATE, {**body, "prompt": going_on(ask), **raw}


def thinking(wanted: bool | str | None, capabilities: tuple[str, ...] | None) -> bool | str | None:
    """Tell what to say about thinking: nothing to a model that cannot, no to one that can and need not."""
    if capabilities is None:  # a server that does not tell: nothing of our own is sent
        return wanted
    if "thinking" not in capabilities:
        return None
    return False if wanted is None else wanted
