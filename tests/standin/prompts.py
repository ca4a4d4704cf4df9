"""prompt: messages to the prompt that the model really gets, and what happens where it is too long.

Rules, as Ollama has them:
- First whole messages go, the oldest first, until the prompt fits; system messages stay, and the last one.
- What is still too long is cut (the front is kept, and the newest half of the rest) or refused.
- The engine's own window is `num_ctx` rounded up to a multiple of 256; only that one is in its errors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .notation import NO_IMAGES, TOO_LONG, EngineRefusal, exceeds, refused
from .requests import Call, Message, Model, TemplateError

IMAGE_TOKENS = 768

Messages = Sequence[Message]


@dataclass(frozen=True)
class Prompt:
    """A prompt as it is processed; `text` is whole even where `tokens` says that it was cut."""

    text: str
    tokens: int
    window: int
    prefill: str = ""


def build(model: Model, call: Call, options: Mapping[str, Any], num_ctx: int) -> Prompt:
    """The prompt of a call, or the refusal that it meets."""
    builder = _Builder(model, call)
    messages = builder.with_system()
    if any(message.images for message in messages) and not model.can("vision"):
        raise refused(NO_IMAGES, "server_error")
    text, tokens = builder.fitted(messages, num_ctx if call.may_drop else None)
    window = -(-num_ctx // 256) * 256
    native = model.path == "native" and call.kind != "generate"
    if (native or not call.truncate) and tokens >= window:
        raise exceeds(tokens, window)
    if call.truncate and not native and tokens >= num_ctx:
        if not call.shift:
            raise EngineRefusal(400, TOO_LONG)
        tokens = _cut(num_ctx, options.get("num_keep", 4), model.bos)
    prefills = native and messages[-1].role == "assistant"
    return Prompt(text, tokens, window, messages[-1].content if prefills else "")


def _cut(num_ctx: int, keep: int, bos: bool) -> int:
    """How many tokens are left of a prompt that is cut: those at its front, and half of the rest."""
    keep = num_ctx - 4 if keep < 0 else min(keep + bos, num_ctx - 1)
    return num_ctx - (num_ctx - keep) // 2


@dataclass(frozen=True)
class _Builder:
    """Makes texts of messages, for one model and one call."""

    model: Model
    call: Call

    def with_system(self) -> Messages:
        """The messages, the model's own system text first unless they bring one."""
        messages = self.call.messages
        if not self.model.system or self.call.raw or messages[0].role == "system":
            return messages
        return (Message("system", self.model.system), *messages)

    def fitted(self, messages: Messages, most: int | None) -> tuple[str, int]:
        """The text and the size of as many of the newest messages as fit, and of every system message."""
        text, tokens = self._sized(messages)
        for start in range(1, len(messages)):
            if most is None or tokens <= most:
                break
            systems = [message for message in messages[:start] if message.role == "system"]
            text, tokens = self._sized([*systems, *messages[start:]])
        return text, tokens

    def _sized(self, messages: Messages) -> tuple[str, int]:
        text = self._text(messages)
        images = sum(message.images for message in messages)
        return text, self.model.count(text) + IMAGE_TOKENS * images + self.call.context

    def _text(self, messages: Messages) -> str:
        """The prompt's text, made by Ollama or by the engine."""
        think = self.model.can("thinking") and self.call.think is not False
        if self.call.raw or self.call.template or self.call.suffix:
            return "".join(message.content for message in messages)
        if self.model.path == "rendered":
            return self.model.template(_merged(messages), think)
        try:
            return _continued(self.model, messages, think)
        except TemplateError as error:
            raise refused(str(error)) from None


def _continued(model: Model, messages: Messages, think: bool) -> str:
    """The engine's text: the assistant's message at the end is one that the model continues."""
    if [message.role for message in messages[-2:]] == ["assistant", "assistant"]:
        raise TemplateError("Cannot have 2 or more assistant messages at the end of the list.")
    if messages[-1].role != "assistant":
        return model.template(messages, think)
    return model.template(messages[:-1], think) + messages[-1].content


def _merged(messages: Messages) -> Messages:
    """Neighbours of one role as one message, except for tools' results."""
    merged: list[Message] = []
    for message in messages:
        if merged and merged[-1].role == message.role != "tool":
            last = merged.pop()
            message = Message(last.role, f"{last.content}\n\n{message.content}", last.images + message.images)
        merged.append(message)
    return merged
