"""What fits a model's context window: sizes estimated from characters, corrected by what servers have counted.

The window holds the request and the reply. A server that is sent too much may drop the front of it and answer as if
nothing had happened. So older messages are dropped here, where the author wants that, as soon as a request is likely to
leave the reply no room; a request is refused where it surely does not fit; and what a server counts is looked at for
signs that it has shortened the request all the same. What may or may not fit is sent: the server is told to refuse
rather than to shorten, and its refusal is a reply like any other.

A request that begins with an earlier one of the same speaker has that one's tokens, which the server has counted; only
what was added is estimated from its characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_gc.protocol import Ask, Failure, Part, Reply
from llm_gc.values.units import CHARACTERS_PER_TOKEN

MARGIN = 2.0
"""How many times as many characters as that a token of a whole prompt may have, at most."""

ENGINE = 256
"""Ollama's engine rounds its window up to a multiple of this."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A request whose tokens the server has counted."""

    parts: tuple[Part, ...]
    tokens: int


def window_of(options: Mapping[str, Any]) -> int | None:
    """Return the size of the context window in tokens; None where nobody knows."""
    window = options.get("num_ctx")
    return window if isinstance(window, int) else None


def reserve(options: Mapping[str, Any], window: int) -> int:
    """Return how many tokens are kept free for the reply: all that it may have, up to a quarter of the window."""
    return min(int(options["num_predict"]), window // 4)


def size(parts: tuple[Part, ...]) -> int:
    """Count the characters of a request."""
    return sum(len(part.text) for part in parts)


def density(measured: Measured) -> float:
    """Return the characters of a request for each of its tokens."""
    return size(measured.parts) / max(measured.tokens, 1)


def likely(parts: tuple[Part, ...], earlier: Measured | None, densest: float = 0.0, margin: float = 1.0) -> int:
    """Return how many tokens a request will have.

    ``earlier`` is the newest request of the speaker that was counted, ``densest`` the most characters for each token
    that a prompt of the model has had, ``margin`` how many times as many there may be.
    """
    characters = margin * max(CHARACTERS_PER_TOKEN, densest)
    if earlier is not None and _extends(parts, earlier.parts):
        return earlier.tokens + int(size(parts[len(earlier.parts) :]) / characters)
    return int(size(parts) / characters)


def least(parts: tuple[Part, ...], earlier: Measured | None, densest: float = 0.0) -> int:
    """Return how many tokens a request has at least."""
    return likely(parts, earlier, densest, MARGIN)


def is_crowded(ask: Ask, earlier: Measured | None, densest: float) -> bool:
    """Return whether a request is likely to leave the reply no room."""
    window = window_of(ask.options)
    if window is None:
        return False
    return likely(ask.request.parts, earlier, densest) + reserve(ask.options, window) > window


def too_large(ask: Ask, earlier: Measured | None, densest: float, *, may_drop: bool = False) -> Failure | None:
    """Report that a request does not fit, where that is sure; None where it may fit, or the window is not known.

    ``may_drop`` says whether older messages are dropped to make room.
    """
    window = window_of(ask.options)
    if window is None:
        return None
    parts = ask.request.parts
    tokens, reply = least(parts, earlier, densest), reserve(ask.options, window)
    if tokens + reply <= window:
        return None
    sizes = f"{size(parts):,} characters, at least {tokens:,} tokens"
    words = f"The prompt ({sizes}) and {reply:,} tokens for the reply do not fit the context window of {window:,}"
    remedy = "Give the model a larger num_ctx, let the role see less, or set limits.on_overflow: drop_oldest."
    if may_drop:
        remedy = "Nothing more can be dropped; give the model a larger num_ctx, or shorten what it is sent."
    return Failure("overflow", f"{words}, so it was not sent. {remedy}")


def shortened(ask: Ask, reply: Reply, earlier: Measured | None, densest: float) -> str:
    """Report that the server has shortened a request, where what it counted shows that; else empty."""
    window, prompt = window_of(ask.options), reply.tokens.prompt
    if window is None or not prompt:
        return ""
    tokens = least(ask.request.parts, earlier, densest)
    if prompt >= tokens:
        return ""
    if prompt in _halves(ask.options, window):
        return f"the server counted {prompt:,} tokens, half of its window of {window:,}: it has cut the request"
    words = "it has dropped a part of the request, or does not count what it had read before"
    return f"the server counted {prompt:,} tokens where there are at least {tokens:,}: {words}"


def overflown(ask: Ask, reply: Reply) -> str:
    """Report that request and reply have filled the window, where what the server counted shows that; else empty."""
    window, together = window_of(ask.options), reply.tokens.total
    if window is None or not reply.tokens.prompt or together < window - 1:
        return ""
    engine = -(-window // ENGINE) * ENGINE
    if together > engine or (together == engine and not reply.cut):
        return f"request and reply have {together:,} tokens and the window {window:,}: it has slid over the beginning"
    full = f"the context window of {window:,} tokens was full"
    return f"the reply was cut since {full}; give the model a larger num_ctx" if reply.cut else ""


def _halves(options: Mapping[str, Any], window: int) -> set[int]:
    """Return what Ollama leaves of a prompt: the first ``num_keep`` tokens and the newer half of the rest."""
    keep = options.get("num_keep", 4)
    kept = keep if isinstance(keep, int) and 0 <= keep < window else 4
    return {window - (window - kept) // 2, window - (window - kept - 1) // 2}


def _extends(parts: tuple[Part, ...], earlier: tuple[Part, ...]) -> bool:
    return parts[: len(earlier)] == earlier
