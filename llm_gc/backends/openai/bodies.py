"""What is sent to an OpenAI-compatible server, and what of a role it has no words for."""

from __future__ import annotations

from typing import Any

from llm_gc.backends.wire.completion import going_on
from llm_gc.protocol import Ask, Casting

CHAT, COMPLETION = "/chat/completions", "/completions"

SENT = {
    "num_predict": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "stop": "stop",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
"""The options that such a server has, by our names; whatever else a role says is not sent, and the run says so."""


def reply_request(ask: Ask) -> tuple[str, dict[str, Any]]:
    """Give the path and the body of the request for a reply."""
    body: dict[str, Any] = {"model": ask.model, "stream": True, "stream_options": {"include_usage": True}}
    body |= {theirs: ask.options[ours] for ours, theirs in SENT.items() if ask.options.get(ours) is not None}
    if ask.casting.api == "generate":
        return COMPLETION, {**body, "prompt": going_on(ask)}
    if ask.format is not None:
        schema = {"name": "reply", "strict": True, "schema": ask.format}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return CHAT, {**body, "messages": ask.request.messages}


def unsent(casting: Casting) -> list[str]:
    """Name what a role says and no such server is told."""
    names = [name for name in casting.options if name not in SENT]
    return [*names, "think"] if casting.think is not None else names
