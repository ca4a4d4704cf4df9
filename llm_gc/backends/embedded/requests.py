"""Requests to the engine: bodies as for an OpenAI-compatible server, with what this engine takes beside."""

from __future__ import annotations

from typing import Any

from llm_gc.backends.openai.wire import CHAT, SENT, reply_request
from llm_gc.protocol import Ask, ModelConfig

OWN = {
    "top_k": "top_k",
    "min_p": "min_p",
    "typical_p": "typical_p",
    "repeat_penalty": "repeat_penalty",
    "repeat_last_n": "repeat_last_n",
    "num_keep": "n_keep",
    "cache_prompt": "cache_prompt",
}
"""The options that the engine has and OpenAI's API has not, by our names."""

LOADED_WITH = ("num_ctx", "threads", "num_thread")
"""The options that say how a model is loaded; the last two are one, by our name and by Ollama's."""


def request(ask: Ask, *, slot: int | None, can_think: bool) -> tuple[str, dict[str, Any]]:
    """Return the kind and the body of the request for a reply.

    With a ``slot``, the engine answers there, where the role's earlier words may still be in its cache.
    """
    path, body = reply_request(ask)
    body |= {theirs: ask.options[ours] for ours, theirs in OWN.items() if ask.options.get(ours) is not None}
    body["return_progress"] = True  # an event between the pieces of a long prompt, at which it can be cancelled
    if slot is not None:
        body["id_slot"] = slot
    if path != CHAT:
        return "text", body if ask.format is None else {**body, "json_schema": ask.format}
    if can_think:
        think = ask.casting.think
        words: dict[str, Any] = {"enable_thinking": bool(think)}
        body["chat_template_kwargs"] = words if not isinstance(think, str) else {**words, "reasoning_effort": think}
    return "chat", body


def unsent(casting: ModelConfig) -> list[str]:
    """Name the options of a role that the engine does not have."""
    return [name for name in casting.options if name not in {**SENT, **OWN} and name not in LOADED_WITH]
