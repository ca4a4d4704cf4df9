"""What to say of a reply that did not end in time: how far it was, and which timeout would have sufficed."""

from __future__ import annotations

import math
from typing import NamedTuple

from llm_gc.backends.wire.failures import Place
from llm_gc.protocol import Failure


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


def overdue(place: Place, limit: float, spoken: Spoken) -> Failure:
    """Tell that a reply did not end within ``limit`` seconds."""
    enough = spoken.enough
    advice = f"limits.timeout: {enough}s would have sufficed" if enough else "Give limits.timeout more"
    return Failure("timeout", f"{place} did not finish within {_figure(limit)}s: {_so_far(spoken)}. {advice}.")


def unbegun(place: Place, limit: float, others: int) -> Failure:
    """Tell that not even a first token came within ``limit`` seconds, while the model had ``others`` of ours to answer.

    A server says nothing of where a request stands; who was waited for is told as far as we can know.
    """
    if others:
        many = "another request" if others == 1 else f"{others} other requests"
        reason = f"it had {many} of this run to answer, so this one may have waited for a slot. Ask for fewer at once"
        reason += " (--parallel), or give limits.timeout more"
    else:
        reason = "the prompt was still being read, or requests of somebody else went first. Give limits.timeout more"
    return Failure("timeout", f"{place} did not begin within {_figure(limit)}s, no token came: {reason}.")


def stalled(place: Place, gap: float, spoken: Spoken) -> Failure:
    """Tell that a reply stopped coming for ``gap`` seconds."""
    words = f"{place} began its reply and then sent nothing for {_figure(gap)}s: {_so_far(spoken)}."
    return Failure("timeout", f"{words} It seems stuck: see the server's log.")


def not_loaded(place: Place, limit: float) -> Failure:
    """Tell that a model was not loaded in time."""
    return Failure("load_timeout", f"{place} was not loaded within {_figure(limit)}s. Give limits.load_timeout more.")


def _so_far(spoken: Spoken) -> str:
    tokens = "1 token" if spoken.tokens == 1 else f"{spoken.tokens} tokens"
    return f"{tokens} received, {_figure(spoken.rate)} tokens per second"


def _figure(number: float) -> str:
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"
