"""The time limits of a request: how long a server may say nothing, and what to report of a reply that was cut."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import inf
from typing import Any, Literal, NamedTuple

from llm_gc.backends.http.server_errors import RequestPlace
from llm_gc.backends.http.stream import StreamEnd
from llm_gc.protocol import Ask, Cut, Failure
from llm_gc.values.units import as_tokens


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
        """The seconds in which all tokens that were allowed would have come; None where that is not known."""
        if not self.tokens or not self.wanted or self.wanted < 1:
            return None
        return math.ceil(max(self.seconds, self.first + self.wanted / self.rate))


def unbegun(place: RequestPlace, ask: Ask, patience: float, others: int) -> Failure:
    """Report that not even a first token came before the server was given up for its silence.

    A server says nothing of where a request is in its queue; the model is known to have ``others`` of ours.
    """
    name, limit = ("timeout", ask.timeout) if ask.first_token is None else ("first_token", ask.first_token)
    return _unbegun(place, patience, others, f"Give limits.{name} more: {_figure(2 * limit)}s, for instance.")


def overdue(place: RequestPlace, ask: Ask, spoken: Spoken, others: int) -> Cut | Failure:
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


def stalled(place: RequestPlace, ask: Ask, spoken: Spoken) -> Cut:
    """Report that a reply stopped coming."""
    name: Literal["timeout", "gap"]
    name, limit = ("timeout", ask.timeout) if ask.gap is None else ("gap", ask.gap)
    words = f"{place} began its reply and then sent nothing for {_figure(limit)}s: {_so_far(spoken)}."
    advice = f"if it is only slow, give limits.{name} more: {_figure(2 * limit)}s, for instance"
    return Cut(name, f"{words} It seems stuck: see the server's log; {advice}.")


def overrun(place: RequestPlace, spoken: Spoken) -> Cut:
    """Report that a reply continued beyond the tokens that were allowed."""
    words = f"{place} was told max_tokens: {spoken.wanted}, and did not stop: {_so_far(spoken)}"
    return Cut("max_tokens", f"{words}. The rest was not waited for.")


def cut_by_length(end: StreamEnd, options: Mapping[str, Any]) -> Cut | None:
    """Return the limit that ended a reply which is as long as it may be; None where the model ended it."""
    wanted, count = options.get("num_predict"), end.tokens.completion
    is_full = isinstance(wanted, int) and 0 < wanted <= (count or 0)
    if end.reason != "length" and not is_full:
        return None
    if is_full or count is None:
        return Cut("max_tokens", f"the reply was cut after {count or wanted} tokens; raise max_tokens")
    words = f"the reply was cut after {count} tokens, fewer than its max_tokens: the context window was full"
    return Cut("num_ctx", f"{words}; give the model a larger num_ctx")


def not_loaded(place: RequestPlace, limit: float) -> Failure:
    """Report that a model was not loaded in time."""
    return Failure("load_timeout", f"{place} was not loaded within {_figure(limit)}s. Give limits.load_timeout more.")


def _unbegun(place: RequestPlace, waited: float, others: int, advice: str) -> Failure:
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


READ = 10
"""Tokens of a prompt for which a server has a second more before the first token: slow machines read slowly."""


class Patience(NamedTuple):
    """How many seconds a server may say nothing: before the first token, and between two."""

    first: float
    gap: float


def patience_for(ask: Ask) -> Patience:
    """Return how long the server may say nothing while it answers ``ask``."""
    first = ask.first_token
    if first is None:
        first = ask.timeout + as_tokens(sum(len(part.text) for part in ask.request.parts)) / READ
    return Patience(first, ask.timeout if ask.gap is None else ask.gap)


class Activity:
    """What one model of one server is at for us: the requests under way, and when a token came for any of them."""

    def __init__(self) -> None:
        """Begin with no request."""
        self._silences: list[SilenceWatch] = []
        self._heard = -inf

    @property
    def requests(self) -> int:
        """The number of requests under way."""
        return len(self._silences)

    @contextmanager
    def watched(self, patience: Patience, timer: asyncio.Timeout) -> Iterator[SilenceWatch]:
        """Watch over a request, whose ``timer`` expires at once when the server has been silent for too long."""
        silence = SilenceWatch(self, patience, timer)
        self._silences.append(silence)
        self.arm()
        try:
            yield silence
        finally:
            silence.stop()
            self._silences.remove(silence)
            if not silence.expired:  # the others may have waited for this one
                self.heard()
            self.arm()

    def heard(self) -> None:
        """Note a token, for whichever request it is."""
        self._heard = asyncio.get_running_loop().time()

    def arm(self) -> None:
        """Set the watches again: the patience of one of the requests has changed."""
        for silence in self._silences:
            silence.arm()

    def due(self, began: float) -> float:
        """Return when a request that ``began`` then has to be given up, unless something is heard before."""
        return max(began, self._heard) + max(silence.patience for silence in self._silences)


class SilenceWatch:
    """The watch over one request."""

    def __init__(self, activity: Activity, patience: Patience, timer: asyncio.Timeout) -> None:
        """Begin to watch: the request is sent now."""
        self.others = activity.requests
        self.patience, self.expired = patience.first, False
        self._activity, self._gap, self._timer = activity, patience.gap, timer
        self._loop = asyncio.get_running_loop()
        self._began, self._has_begun = self._loop.time(), False
        self._handle: asyncio.TimerHandle | None = None

    def heard(self) -> None:
        """Note a token of this request."""
        self._activity.heard()
        if not self._has_begun:
            self._has_begun, self.patience = True, self._gap
            self._activity.arm()

    def arm(self) -> None:
        """Look again when the time is up."""
        self.stop()
        self._handle = self._loop.call_at(self._activity.due(self._began), self._look)

    def stop(self) -> None:
        """Watch no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _look(self) -> None:
        if self._loop.time() < self._activity.due(self._began):  # tokens only note the time: there are many of them
            self.arm()
            return
        self._handle, self.expired = None, True
        self._timer.reschedule(self._loop.time())
