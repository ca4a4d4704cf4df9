"""Transcripts to look at: conversations that were really walked, with replies as real models give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from llm_gc.core import Conversation
from llm_gc.protocol import Ask, Attempt, Failure, Latency, Reply, Tokens
from llm_gc.transcript.encode import finish
from llm_gc.transcript.records import Header, PipelineRecord, Transcript, Versions
from tests.talks import talk

WINDOW = 4096
CHARACTERS_PER_TOKEN = 4

PLAN = """\
Here is a plan for parsing durations such as `90s`, `2m` and `1h`:

1. **Tokenise** the text with one regular expression.
2. Multiply each number by its unit.
3. Refuse *anything* that is left over.

| unit | seconds |
| --- | ---: |
| `s` | 1 |
| `m` | 60 |
| `h` | 3600 |

> Open question: may units be mixed, as in `1h30m`?"""

CODE = '''\
This does it, and refuses what it does not know:

```python
import re

UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> int:
    """Give a duration in seconds."""
    found = re.fullmatch(r"(?:(\\d+)([smh]))+", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no duration; write it as in 90s, 2m or 1h30m")
    return sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\\d+)([smh])", text))
```

It takes mixed units as well: `1h30m` is 5400.'''

VIEWS = (
    "An empty text should be refused with a word about what was expected. The expression does: `+` asks for a unit.",
    "What of negative ones? `-5s` is refused too. I would say so.\n\nThe order is free: `30m1h` passes. Is it meant?",
    "Numbers may be huge: `99999999999h` gives an integer without any bound. Give it one, say a year.",
)

THOUGHTS = "The user wants durations. Units: s, m, h.\nMixed units should probably work. Keep it to one function."
SCHEMA = {
    "type": "object",
    "properties": {
        "score": {"type": "integer", "minimum": 0, "maximum": 10},
        "verdict": {"enum": ["ship", "revise"]},
        "why": {"type": "string"},
    },
    "required": ["score", "verdict", "why"],
}

ROLES: Mapping[str, Any] = {
    "planner": {"model": "qwen3:4b", "prompt": "You plan small pieces of code. Be brief.", "num_ctx": WINDOW},
    "coder": {"model": "qwen2.5-coder:7b", "prompt": "You write Python.", "num_ctx": WINDOW, "description": "Writes."},
    "critic": {"model": "deepseek-coder:1.3b", "prompt": "You look for one flaw.", "num_ctx": 2048},
    "tester": {"model": "llama3.2:3b", "prompt": "You test.", "num_ctx": WINDOW, "description": "Tests."},
    "moderator": {"model": "llama3.2:3b", "prompt": "You moderate.", "num_ctx": WINDOW},
    "judge": {"model": "qwen3:4b", "prompt": "You judge.", "num_ctx": WINDOW, "format": SCHEMA},
}

TURNS: list[Any] = [
    {"say": "planner", "instruction": "Make a plan first."},
    "coder",
    {"parallel": ["critic"], "times": 3, "as": "views"},
    {
        "repeat": [{"choose": ["coder", "tester"], "by": "moderator"}, {"say": "critic", "result": ""}],
        "times": 2,
    },
    {"scene": ["tester", "coder"], "opening": "Agree on the tests.", "result": "{{ last }}", "speaker": "The team"},
    "judge",
]


def header(name: str, document: Mapping[str, Any], **inputs: Any) -> Header:
    """Return what was known before the first turn."""
    models = sorted({role["model"] for role in document["roles"].values()})
    return Header(
        id=f"20260102T030405Z-{name}",
        pipeline=PipelineRecord(name, f"pipelines/{name}.yaml", "0" * 64, document, {f"{name}/a.j2": "You plan.\n"}),
        inputs=inputs,
        seed=42,
        started_at="2026-01-02T03:04:05.000Z",
        versions=Versions("0.1.0", "ollama", "0.13.0", dict.fromkeys(models, "sha256:0123456789ab")),
    )


def reply(ask: Ask, content: str, chance: Random, **more: Any) -> Reply:
    """Return a reply that took about as long as a small model on a small machine takes."""
    prompt = sum(len(message["content"]) for message in ask.request.messages) // CHARACTERS_PER_TOKEN + 12
    completion = len(content) // CHARACTERS_PER_TOKEN + 1
    load = chance.choice([0.02, 0.02, 0.03, 2.4])
    read, wrote = prompt / chance.uniform(300, 900), completion / chance.uniform(20, 60)
    first = load + read + chance.uniform(0.02, 0.2)
    total = round(first + wrote + 0.01, 3)
    latency = Latency(total, load, round(first, 3), round(read, 3), round(wrote, 3))
    given = Reply(content, done_reason="stop", tokens=Tokens(prompt, completion), latency=latency, seconds=total)
    return replace(given, **more)


def timed_out(ask: Ask, seconds: float = 30.0) -> Reply:
    """Return a reply that did not end in time."""
    words = f"{ask.model} did not end within {seconds:g} s: 211 tokens at 7.0 tokens/s; timeout: 74s would have done."
    return Reply(
        "The function should", failure=Failure("timeout", words), seconds=seconds, latency=Latency(total=seconds)
    )


def answered(conversation: Conversation, header: Header, replies: Iterable[Reply]) -> Transcript:
    """Return the transcript of a conversation that was answered so, and interrupted where replies ran out."""
    for given in replies:
        conversation.answer(conversation.pending[0], given)
        if conversation.outcome is not None:
            break
    conversation.interrupt("stopped by hand")
    assert conversation.outcome is not None
    return finish(header, conversation.turns, conversation.outcome, "2026-01-02T03:05:31.250Z")


def rich() -> Transcript:
    """Return a conversation with some of everything: branches, picks, a scene, failures, repairs, thinking, data."""
    conversation = talk(TURNS, roles=ROLES, opening="Write a function that parses durations.", limits={"max_turns": 30})
    chance = Random(7)
    tried = Attempt(Failure("broken", "The connection broke off after 12 tokens.", retry=True), "Here is a", "", 1.9)

    def replies() -> Iterable[Reply]:
        def say(content: str, **more: Any) -> Reply:
            return reply(conversation.pending[0], content, chance, **more)

        yield say(PLAN, thinking=THOUGHTS)
        first = say(CODE)
        yield replace(first, attempts=(tried,), seconds=first.seconds + 2.9)
        yield from (say(view) for view in VIEWS)
        yield say('{"next": "tester"}')
        yield say("Coder: I tried `seconds('')` and it was refused.\n\nCoder: fine then.")
        yield timed_out(conversation.pending[0])
        yield say('{"next": "coder"}')
        yield say("I have given it a bound of one year: `MAX = 366 * 24 * 3600`.")
        yield say("The bound is good. The message should name it, and it should", done_reason="length")
        yield say("I suggest five cases:\n\n- `90s`\n- `2m`\n- `1h30m`\n- an empty text\n- `5 apples`")
        yield say("Agreed. All five pass.", tool_calls=({"name": "pytest", "arguments": {"k": "seconds"}},))
        yield say('{"score": 11, "verdict": "ship"}')
        yield say('{"score": 9, "verdict": "ship", "why": "All cases pass, and the bound is named."}')

    return answered(conversation, header("durations", _document(), task="Parse durations."), replies())


def hostile(*contents: str) -> Transcript:
    """Return a conversation in which models wrote these things, as what they thought as well."""
    conversation = talk(
        (["anna", "ben"] * len(contents))[: len(contents)], roles={"anna": {}, "ben": {"label": "<b>Ben</b>"}}
    )
    chance = Random(1)
    replies = (reply(conversation.pending[0], content, chance, thinking=content) for content in contents)
    about = header("hostile", {"name": "hostile", "roles": {"anna": {"model": "m"}}}, task=contents[0])
    return answered(conversation, about, replies)


def long(turns: int) -> Transcript:
    """Return a conversation of so many turns of about a kilobyte, every fifth with code."""
    roles = {name: {"model": "m", "num_ctx": WINDOW, "sees": {"last": 4}} for name in ("anna", "ben")}
    conversation = talk([{"repeat": ["anna", "ben"]}], roles=roles, limits={"max_turns": turns})
    chance = Random(3)

    def replies() -> Iterable[Reply]:
        for number in range(turns):
            words = " ".join(chance.choice(PLAN.split()) for _ in range(60))
            text = f"{PLAN}\n\n{words} ({number})" if number % 5 else f"{CODE}\n\n{number}"
            yield reply(conversation.pending[0], text, chance)

    return answered(conversation, header("long", {"name": "long", "roles": roles}, task="Talk."), replies())


def _document() -> dict[str, Any]:
    return {
        "name": "durations",
        "description": "A planner plans, a coder writes, critics look for flaws at once, a judge decides.",
        "seed": 42,
        "inputs": {"task": {"type": "string"}},
        "roles": ROLES,
        "opening": "Write a function that parses durations.",
        "turns": TURNS,
        "limits": {"max_turns": 30},
    }
