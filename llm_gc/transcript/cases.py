"""The typed model of a test file: cases with scripted replies, and the conversation that is expected of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from llm_gc.core.outcome import Reason, Status
from llm_gc.language.base import Positive, Whole
from llm_gc.language.limits import Duration
from llm_gc.language.steps import Name, Strict
from llm_gc.protocol import CutLimit, FailureKind

Line = Annotated[str, Field(min_length=1)]
Texts = Line | Annotated[list[Line], Field(min_length=1)]
Data = Annotated[Any, Field()]
"""Any value of YAML."""


class Open(Strict):
    """A model in which a value may well be null, where any value may be; ``is_given`` tells it from no value."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_null(cls, value: Any) -> Any:
        if isinstance(value, dict) and any(one is None and key not in ANYTHING for key, one in value.items()):
            raise ValueError("a key has no value")
        return value

    def is_given(self, key: str) -> bool:
        """Return whether a key is there."""
        return key in self.model_fields_set


ANYTHING = ("data", "equals", "result")
"""The keys under which any value may be."""


class MatchSpec(Open):
    """What a text must be like: everything that is given must hold."""

    equals: Data = Field(None, description="The whole value, and nothing else.", examples=["Yes."])
    contains: Texts | None = Field(None, description="A text that is in it, or a list of such texts.")
    lacks: Texts | None = Field(None, description="A text that is not in it, or a list of such texts.")
    starts: Line | None = Field(None, description="How it begins.", examples=["Task:"])
    ends: Line | None = Field(None, description="How it ends.", examples=["Reviewer: Go on."])
    matches: Line | None = Field(None, description="A regular expression that is found in it.", examples=["[0-9]+ s"])


Contained = Texts | MatchSpec
"""What is in a text; a map says more precisely what the text must be like."""


class CaseUse(Strict):
    """The tokens that a reply is to have cost."""

    prompt: Whole | None = Field(None, description="The tokens of what was sent.")
    completion: Whole | None = Field(None, description="The tokens of the reply.")


class Scripted(Open):
    """A reply, or what is in its place. With nothing but a ``thinking`` it is an empty one."""

    text: str | None = Field(None, description="What is replied, word for word.", examples=["Looks good.\nAPPROVED"])
    data: Data = Field(None, description="What a structured reply holds.", examples=[{"approved": True}])
    error: FailureKind | None = Field(
        None, description="There is no reply but this failure, all retries behind it; `text` had arrived until then."
    )
    message: Line | None = Field(None, description="The error's message.", examples=["It took too long."])
    thinking: str | None = Field(None, description="What the model thinks before it replies.")
    cut: bool | CutLimit = Field(
        False,
        description="Whether the reply is cut off: by its length (`true`), or by the limit that is named.",
        examples=["reply_time"],
    )
    done_reason: Line | None = Field(
        None, description="Why the model ended, in the server's word; `stop` where absent.", examples=["stop"]
    )
    tokens: Whole | CaseUse | None = Field(
        None,
        description="The tokens that it costs: those of the reply, or those of prompt and completion.",
        examples=[90],
    )
    seconds: Annotated[float, Field(ge=0)] | Duration | None = Field(
        None, description="The time that it takes, for `max_time`; nobody waits.", examples=[2.5, "2m"]
    )


Reply = str | Scripted
Replies = list[Reply] | Reply
"""The replies of a role in order; one that is in no list is given whenever the role is asked."""

Overrides = dict[str, Data]


class ExpectedPrompt(Strict):
    """One message of a request, by its kind; exactly one of the two."""

    user: Line | MatchSpec | None = Field(None, description="What is told to the speaker: this and nothing else.")
    assistant: Line | MatchSpec | None = Field(None, description="What the speaker said itself: this and nothing else.")


class ExpectedAsk(Open):
    """What one ask sends, and what becomes of its reply."""

    turn: Positive | None = Field(None, description="The ask of the turn with this number.")
    role: Line | None = Field(
        None, description="An ask of this role, or of one copy of it, as in `solver#2`.", examples=["reviewer"]
    )
    ask: Positive | None = Field(
        None, description="With `role`: which of its asks, choices and repairs too, from 1; the last where absent."
    )
    sent: Contained | None = Field(
        None, description="What is in the text that is sent, all messages with a blank line between them."
    )
    not_sent: Texts | None = Field(None, description="What is not in that text.")
    system: Contained | None = Field(None, description="What is in the system prompt.")
    messages: list[ExpectedPrompt] | None = Field(None, description="All messages that are sent but the system prompt.")
    offered: list[Name] | None = Field(None, description="Of a choice: those that can be chosen, in order.")
    data: Data = Field(None, description="The data of the structured reply.", examples=[{"approved": True}])
    heard: str | MatchSpec | None = Field(
        None, description="What the others are sent of the reply; empty where nobody hears it."
    )
    failed: bool | FailureKind | None = Field(None, description="Whether there is no reply that will do; or why.")


class ExpectedEnd(Strict):
    """How the conversation ends."""

    status: Status | None = Field(None, description="The end in one of four words.")
    reason: Reason | None = Field(None, description="Why it ends.")
    detail: Contained | None = Field(None, description="What is in the sentence that says why.")


class Expected(Open):
    """What is expected of a conversation; whatever is absent may be as it likes."""

    speakers: list[Name] | None = Field(
        None, description="Whose turns they are, in order; a choice is no turn.", examples=[["implementer", "reviewer"]]
    )
    asked: list[Name] | None = Field(None, description="Who is asked, in order: for choices and repairs too.")
    turns: Whole | None = Field(None, description="The number of turns.")
    asks: list[ExpectedAsk] | None = Field(None, min_length=1, description="What single asks send, and their outcome.")
    variables: dict[Name, Data] | None = Field(
        None, min_length=1, description="What names hold at the end; a message is its content, or its data."
    )
    result: Data = Field(None, description="The result: this value, or a map that says what it must be like.")
    ended: Reason | Status | ExpectedEnd | None = Field(
        None,
        description="How it ends; where absent, in any way but `failed`. A reason alone says that nothing has failed.",
        examples=["stop_token"],
    )


class Case(Strict):
    """One conversation: what it is given, what is replied, and what is expected of it."""

    name: Line = Field(description="What it shows, in a sentence.", examples=["It ends when the reviewer approves."])
    inputs: dict[str, Data] | None = Field(None, description="Inputs, laid over those of the file.")
    set_: Overrides | None = Field(
        None,
        alias="set",
        description="Values laid over the pipeline's, as `--set` does, by their path.",
        examples=[{"limits.on_error": "stop"}],
    )
    replies: dict[str, Replies] = Field(
        default_factory=dict,
        description="The replies of each role, in the order in which it is asked; `role#2` are its second copy's.",
        examples=[{"implementer": ["A plan."], "reviewer": ["APPROVED"]}],
    )
    expect: Expected | None = Field(None, description="What is expected.")


class CaseFile(Strict):
    """Cases for one pipeline."""

    pipeline: Line | None = Field(
        None,
        description=(
            "The pipeline's file, seen from here, or the name of one that ships; where absent, the one beside this "
            "with the same name."
        ),
    )
    description: str | None = Field(None, description="What the cases are about.")
    inputs: dict[str, Data] | None = Field(None, description="Inputs for every case.")
    set_: Overrides | None = Field(
        None, alias="set", description="Values laid over the pipeline's for every case.", examples=[{"seed": 7}]
    )
    cases: list[Case] = Field(min_length=1, description="The cases.")


def as_match(value: Any) -> MatchSpec | None:
    """Return a map of nothing but a match's words as what it is, None for any other value.

    Raises:
        pydantic.ValidationError: where such a map is no match after all.

    """
    known = MatchSpec.model_fields.keys()
    return MatchSpec.model_validate(value) if isinstance(value, dict) and value and value.keys() <= known else None
