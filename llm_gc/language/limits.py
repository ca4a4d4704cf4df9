"""What a conversation, or a scene in it, may cost at most."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from llm_gc.language.base import AtLeastOne, Count, Dynamic, Strict, read_whole
from llm_gc.values.units import PATTERN

Duration = Annotated[str, Field(pattern=PATTERN, examples=["30s", "2m", "1h"])]

AtLeastTwo = Annotated[int, Field(ge=2), BeforeValidator(read_whole)] | Dynamic


MAX_TOKENS = 1024
"""So many tokens a message may have where nobody says anything."""


def most_tokens(own: int | None, limit: int | None) -> int:
    """Return the tokens that a message may have: ``own`` of its step or role, capped by a ``limit`` that is written."""
    if own is None:
        return MAX_TOKENS if limit is None else limit
    return own if limit is None else min(own, limit)


class Repetition(Strict):
    """How many equal messages in a row stop a conversation, and whose."""

    times: AtLeastTwo = Field(description="So many of them.", examples=[3])
    across: bool = Field(False, description="Whether it does not matter who says them.")


class Retries(Strict):
    """How often a request is sent again, and how long a server that has gone away is waited for."""

    times: Count = Field(2, description="How often it is sent again after a transport failure.")
    restart: Duration | Dynamic = Field(
        "15s", description="How long a server is waited for that nobody answers at any more, as while it restarts."
    )


class Limits(Strict):
    """What a conversation may cost at most, and what happens when something fails."""

    max_turns: Count = Field(100, description="Turns, failed ones too; a post or a choice is none.")
    max_tokens: AtLeastOne = Field(
        MAX_TOKENS,
        description="Tokens of a message where neither step nor role says it; written here, it caps what they say.",
    )
    max_total_tokens: AtLeastOne | None = Field(
        None, description="Tokens in all, of prompts and replies together.", examples=[50_000]
    )
    max_time: Duration | Dynamic | None = Field(
        None, description="Time in all, the seconds of all replies added up.", examples=["10m"]
    )
    timeout: Duration | Dynamic = Field(
        "30s",
        description=(
            "How long a server may say nothing: before the first token (and a second more for each 10 tokens "
            "of the prompt), and between two tokens."
        ),
    )
    first_token: Duration | Dynamic | None = Field(
        None, description="The same before the first token, in place of `timeout`.", examples=["10s"]
    )
    gap: Duration | Dynamic | None = Field(
        None, description="The same between two tokens, in place of `timeout`.", examples=["10s"]
    )
    reply_time: Duration | Dynamic | None = Field(
        None, description="Time for one whole reply; one that is not done by then is cut, and heard.", examples=["2m"]
    )
    load_timeout: Duration | Dynamic = Field(
        "5m", description="Time for loading a model that the server does not hold; `timeout` begins after that."
    )
    retries: Count | Retries = Field(
        2,
        description=(
            "How often one request is sent again after a transport failure; a map may say how long a server that has "
            "gone away is waited for."
        ),
        examples=[2],
    )
    repairs: Count = Field(1, description="How often a role is asked again after a reply that does not fit its format.")
    on_error: Literal["continue", "stop"] = Field(
        "continue", description="After a failed turn: the next speaker continues, or the conversation stops."
    )
    on_overflow: Literal["stop", "drop_oldest"] = Field(
        "stop",
        description="When a prompt does not fit the context window: stop, or drop the older half of the history.",
    )
    repetition: AtLeastTwo | Repetition | None = Field(
        None,
        description="So many equal messages of one speaker in a row stop the conversation; a map may count anybody's.",
        examples=[3],
    )
