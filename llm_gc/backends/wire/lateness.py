"""What to say of a reply that a limit has ended: how far it was, which limit it was, and what would have sufficed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from llm_gc.backends.wire.events import End
from llm_gc.backends.wire.failures import Place
from llm_gc.protocol import Ask, Cut, Failure


class Spoken(NamedTuple):
    """How far a reply was when its time was up.

    ``seconds`` is since the request, ``first`` until the first token, ``wanted`` how many were allowed.
    """

    tokens: int
    seconds: float
    first: float
    wanted: int | None = None

    @property
    def rate(self) -> float:
        """Tokens per second, the time before the first one not counted."""
        return self.tokens / max(self.seconds - self.first, 1e-3)

    @property
    def enough(self) -> int | None:
        """The seconds in which all tokens that were allowed would have come; none where that is not known."""
        if not self.tokens or not self.wanted or self.wanted < 1:
            return None
        return math.ceil(max(self.seconds, self.first + self.wanted / self.rate))


def unbegun(place: Place, ask: Ask, patience: float, others: int) -> Failure:
    """Report that not even a first token came before the server was given up for its silence.

    A server says nothing of where a request is in its queue; the model is known to have ``others`` of ours.
    """
    name, limit = ("timeout", ask.timeout) if ask.first_token is None else ("first_token", ask.first_token)
    return _unbegun(place, patience, others, f"Give limits.{name} more: {_figure(2 * limit)}s, for instance.")


def overdue(place: Place, ask: Ask, spoken: Spoken, others: int) -> Cut | Failure:
    """Report that a reply did not end before its deadline."""
    name: Literal["reply_time", "max_time"]
    name, limit, offset = "reply_time", ask.deadline or 0.0, 0.0
    if ask.reply_time is None or limit < ask.reply_time:
        name, offset = "max_time", (ask.max_time or 0.0) - (ask.time_left or 0.0)
    enough = spoken.enough
    advice = f"Give limits.{name} more."
    if not spoken.tokens:
        return _unbegun(place, limit, others, advice)
    if enough is not None:
        advice = f"limits.{name}: {math.ceil(enough + offset)}s would have sufficed."
    words = f"{place} did not finish within {_figure(limit)}s, all that limits.{name} left for it"
    if name == "reply_time":
        words = f"{place} did not finish within {_figure(limit)}s (limits.reply_time)"
    return Cut(name, f"{words}: {_so_far(spoken)}. {advice}")


def stalled(place: Place, ask: Ask, spoken: Spoken) -> Cut:
    """Report that a reply stopped coming."""
    name: Literal["timeout", "gap"]
    name, limit = ("timeout", ask.timeout) if ask.gap is None else ("gap", ask.gap)
    words = f"{place} began its reply and then sent nothing for {_figure(limit)}s: {_so_far(spoken)}."
    advice = f"if it is only slow, give limits.{name} more: {_figure(2 * limit)}s, for instance"
    return Cut(name, f"{words} It seems stuck: see the server's log; {advice}.")


def overrun(place: Place, spoken: Spoken) -> Cut:
    """Report that a reply went on beyond the tokens that were allowed."""
    words = f"{place} was told max_tokens: {spoken.wanted}, and did not stop: {_so_far(spoken)}"
    return Cut("max_tokens", f"{words}. The rest was not waited for.")


def cut_by_length(end: End, options: Mapping[str, Any]) -> Cut | None:
    """Return the limit that ended a reply which is as long as it may be; None where the model ended it."""
    wanted, count = options.get("num_predict"), end.tokens.completion
    is_full = isinstance(wanted, int) and 0 < wanted <= (count or 0)
    if end.reason != "length" and not is_full:
        return None
    if is_full or count is None:
        return Cut("max_tokens", f"the reply was cut after {count or wanted} tokens; raise max_tokens")
    words = f"the reply was cut after {count} tokens, fewer than its max_tokens: the context window was full"
    return Cut("num_ctx", f"{words}; give the model a larger num_ctx")


def not_loaded(place: Place, limit: float) -> Failure:
    """Tell that a model was not loaded in time."""
    return Failure("load_timeout", f"{place} was not loaded within {_figure(limit)}s. Give limits.load_timeout more.")


def _unbegun(place: Place, waited: float, others: int, advice: str) -> Failure:
    reason = "the prompt was still being read, or requests of somebody else went first"
    if others:
        many = "another request" if others == 1 else f"{others} other requests"
        reason = f"it had {many} of this run to answer, so this one may have waited for a slot"
        advice = f"Ask for fewer at once (--parallel), or g{advice[1:]}"
    return Failure("timeout", f"{place} did not begin within {_figure(waited)}s, no token came: {reason}. {advice}")


def _so_far(spoken: Spoken) -> str:
    tokens = "1 token" if spoken.tokens == 1 else f"{spoken.tokens} tokens"
    return f"{tokens} received, {_figure(spoken.rate)} tokens per second"


def _figure(number: float) -> str:
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"
