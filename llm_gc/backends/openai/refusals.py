"""The fields that a server refuses though no author wrote them: old servers do not know all that newer ones take.

A request is sent with all of them. Where the server names one of them in its refusal, it is left out from then on, for
that model of that server. What an author wrote is never among them: a refusal of that ends the turn.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from llm_gc.backends.http.stream import Said

MAX_TOKENS, MAX_COMPLETION_TOKENS = "max_tokens", "max_completion_tokens"
"""The older name of the longest reply, and the newer one, by which some servers take nothing else."""

OURS = ("stream_options", MAX_COMPLETION_TOKENS, MAX_TOKENS, "seed")

_REFUSALS = re.compile(
    r"unsupported|not supported|not support|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed|extra|"
    r"invalid (?:parameter|argument|field)|not a valid (?:parameter|argument|field)",
    re.IGNORECASE,
)


def refused_field(said: Said, body: Mapping[str, Any]) -> str | None:
    """Return the field of a request that its refusal is about, if it is one that may be left out."""
    if said.too_long or not _REFUSALS.search(said.message):
        return None
    named = (field for field in OURS if re.search(rf"(?<![\w-]){field}(?![\w-])", said.message))
    return next((field for field in named if field in body), None)


def without(body: Mapping[str, Any], refused: Collection[str]) -> dict[str, Any]:
    """Return a request without the refused fields; the longest reply has another name to try first."""
    kept = {field: value for field, value in body.items() if field not in refused}
    if MAX_TOKENS in refused and MAX_TOKENS in body and MAX_COMPLETION_TOKENS not in refused:
        kept[MAX_COMPLETION_TOKENS] = body[MAX_TOKENS]
    return kept


def unsent(body: Mapping[str, Any], sent: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the fields of a request that were left out; one that was sent by its other name is not."""
    return tuple(
        field for field in body if field not in sent and not (field == MAX_TOKENS and MAX_COMPLETION_TOKENS in sent)
    )
