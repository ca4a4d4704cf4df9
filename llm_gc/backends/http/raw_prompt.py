"""A conversation as one text, for a model that knows no messages and continues from what it reads."""

from __future__ import annotations

from llm_gc.protocol import Ask


def going_on(ask: Ask) -> str:
    """Return the text: its paragraphs as they are sent, the speaker's own under its label, which also is at the end.

    A casting that is ``raw`` has its text made by the author; nothing is added to it.
    """
    messages = ask.request.messages
    if ask.casting.raw:
        return "".join(message["content"] for message in messages)
    own = (f"{ask.label}: " if message["role"] == "assistant" else "" for message in messages)
    paragraphs = [label + message["content"] for label, message in zip(own, messages, strict=True)]
    return "\n\n".join([*paragraphs, f"{ask.label}:"])
