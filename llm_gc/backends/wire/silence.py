"""How long a server says nothing: the watch over each request, shared by all requests that one model is at.

A server with one slot answers our requests one after the other, and whoever waits there hears nothing meanwhile. So a
token for any of our requests breaks the silence of all that are at the same model of the same server, and while several
wait, the most patient of them says how long. A server that is mute for all of them is given up all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from typing import NamedTuple

from llm_gc.protocol import Ask
from llm_gc.tokens import as_tokens

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
        self._silences: list[Silence] = []
        self._heard = -inf

    @property
    def requests(self) -> int:
        """The number of requests under way."""
        return len(self._silences)

    @contextmanager
    def watched(self, patience: Patience, timer: asyncio.Timeout) -> Iterator[Silence]:
        """Watch over a request, whose ``timer`` expires at once when the server has been silent for too long."""
        silence = Silence(self, patience, timer)
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
        """Take notice of a token, for whichever request it is."""
        self._heard = asyncio.get_running_loop().time()

    def arm(self) -> None:
        """Set the watches again: the patience of one of the requests has changed."""
        for silence in self._silences:
            silence.arm()

    def due(self, began: float) -> float:
        """Return when a request that ``began`` then has to be given up, unless something is heard before."""
        return max(began, self._heard) + max(silence.patience for silence in self._silences)


class Silence:
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
        """Take notice of a token of this request."""
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
