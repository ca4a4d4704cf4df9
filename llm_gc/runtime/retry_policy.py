"""When an ask that has failed is asked again; it knows no clock, and is told what took how long."""

from __future__ import annotations

from llm_gc.protocol import Ask, Failure

BACKOFF = 0.5
"""Seconds before the first retry; each further wait is twice as long."""

MAX_BACKOFF = 8.0

MAX_AFTER = 600.0
"""Seconds for which a server may ask to be left alone and still be waited for."""


class RetryPolicy:
    """The tries of one ask.

    A transport failure is worth as many as ``retries`` says. A server at which nobody answers may be restarting: it
    is asked again until it could have done so, however many tries that takes, and these count for nothing else.
    """

    def __init__(self, ask: Ask) -> None:
        """Begin with no try."""
        self._retries, self._restart = ask.retries, ask.restart
        self._failures = self._absences = 0
        self._gone = 0.0

    def wait(self, failure: Failure, seconds: float) -> float | None:
        """Return the seconds to wait before the next try, after one that took ``seconds``; None for no other try."""
        if not failure.retry:
            return None
        if failure.kind == "unreachable":
            return self._until_it_is_back(seconds)
        self._absences, self._gone = 0, 0.0
        if self._failures >= self._retries:
            return None
        wait = _backoff(self._failures) if failure.after is None else failure.after
        self._failures += 1
        return wait if wait <= MAX_AFTER else None

    def _until_it_is_back(self, seconds: float) -> float | None:
        wait = _backoff(self._absences)
        self._absences += 1
        self._gone += seconds
        if self._absences > self._retries:
            wait = min(wait, self._restart - self._gone)
        if wait <= 0:
            return None
        self._gone += wait
        return wait


def _backoff(tries: int) -> float:
    return min(BACKOFF * 2.0 ** min(tries, 10), MAX_BACKOFF)
