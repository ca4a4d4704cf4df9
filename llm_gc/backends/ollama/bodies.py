"""What is sent: the body of a chat request, and of the empty one that only loads the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_gc.protocol import Ask

LOAD_OPTIONS = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict")
"""The options by which a server loads a model: another value of one of them, and it loads it again."""

# Neither cut a prompt that does not fit nor slide the window: both would pass without a word. Shift is also
# something that a model is loaded with, so a request without it would load the model again.
_WHOLE = {"truncate": False, "shift": False}


def load_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give those of ``options`` that a model is loaded with."""
    return {name: options[name] for name in LOAD_OPTIONS if options.get(name) is not None}


def load_body(model: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the request that loads ``model`` and asks nothing."""
    return {"model": model, "stream": True, "options": load_options(options), **_WHOLE}


def chat_body(ask: Ask, capabilities: tuple[str, ...] | None) -> dict[str, Any]:
    """Give the request for a reply; ``capabilities`` are the model's, none where they are not known."""
    body: dict[str, Any] = {
        "model": ask.model,
        "messages": ask.request.messages,
        "stream": True,
        "options": dict(ask.options),
        **_WHOLE,
    }
    if ask.format is not None:
        body["format"] = ask.format
    think = thinking(ask.casting.think, capabilities)
    if think is not None:
        body["think"] = think
    return body


def thinking(wanted: bool | str | None, capabilities: tuple[str, ...] | None) -> bool | str | None:
    """Tell what to say about thinking: nothing to a model that cannot, no to one that can and need not."""
    if capabilities is None:  # a server that does not tell: nothing of our own is sent
        return wanted
    if "thinking" not in capabilities:
        return None
    return False if wanted is None else wanted
