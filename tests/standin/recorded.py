"""recorded: the models of the recorded exchanges, and what each was in the middle of saying.

The recordings were made on a real server with tiny models of random weights. Each takes one token for
each character, so the prompts' sizes can be held to the token. What only the weights decide (the words)
is scripted from the recording; everything else has to come out by itself.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from .behaviour import Behaviour
from .errors import ENGINE_GONE
from .model import Message, Model, TemplateError, characters, chatml, each_character
from .say import Say

Exchange = dict[str, Any]

_FILE = Path(__file__).parent.parent / "data" / "ollama-wire.jsonl"

_STRICT = (
    "Unable to generate parser for this template. Automatic parser generation failed: \n------------\n"
    "While executing CallExpression at line 1, column 96 in source:\n"
    "...op.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user...\n"
    "                                           ^\n"
    "Error: Jinja Exception: Conversation roles must alternate user/assistant/user/assistant/..."
)


def alternating(messages: Sequence[Message], think: bool) -> str:
    """Only user and assistant, in turn."""
    if any(message.role != ("user", "assistant")[index % 2] for index, message in enumerate(messages)):
        raise TemplateError(_STRICT)
    return chatml(messages, think)


def question_and_answer(messages: Sequence[Message], think: bool) -> str:
    """Roles as plain words, and no marks at all."""
    return "".join(f"{message.role}: {message.content}\n" for message in messages) + "answer:"


def turns(messages: Sequence[Message], think: bool) -> str:
    """A template that opens the thinking itself, or closes it at once."""
    said = "".join(f"TURN<{message.role}> {message.content} END" for message in messages)
    return f"{said}TURN<assistant> " + ("<think>\n" if think else "<think>\n\n</think>\n\n")


_TINY = Model("tiny", context=2048, tokens=each_character, parameter_size="95K", quantization="unknown")

MODELS = [
    replace(_TINY, name="bytes", parameter_size="116K"),
    replace(_TINY, name="noeos"),
    replace(_TINY, name="rep"),
    replace(_TINY, name="native2", path="native", template=question_and_answer),
    replace(_TINY, name="think3", path="native", template=turns, capabilities=("thinking", "completion")),
    replace(_TINY, name="gotmpl", system="SYS", parameters={"temperature": 0.7, "stop": ["<|im_end|>"]}),
    replace(_TINY, name="strict", path="native", template=alternating),
]


@cache
def exchanges() -> list[Exchange]:
    """All recorded exchanges, in order."""
    return [json.loads(line) for line in _FILE.read_text(encoding="utf-8").splitlines()]


def behaviour(exchange: Exchange) -> Behaviour:
    """What the model says in this exchange; it never stops by itself where a limit stopped it."""
    answers = [json.loads(line) for line in _lines(exchange["response"])]
    said = characters("".join(_text(answer) for answer in answers))
    last = answers[-1] if answers else {}
    finish = [choice.get("finish_reason") for choice in last.get("choices", ())]
    if last.get("done_reason") == "stop" or "stop" in finish:
        return Say(said)
    if "error" in last:
        return Say(said, error=ENGINE_GONE)
    return Say(said + said[-1:], done=bool(said))


def _lines(response: Exchange) -> list[str]:
    """The JSON objects of an answer."""
    lines = [line.removeprefix("data: ") for line in response["body"].splitlines() if line]
    return [line for line in lines if line.startswith("{") and response["status"] == 200]


def _text(answer: Exchange) -> str:
    """What one object of an answer says."""
    choice = (answer.get("choices") or [{}])[0]
    said = answer.get("message") or choice.get("message") or choice.get("delta") or {}
    return str(answer.get("response", said.get("content", "")))
