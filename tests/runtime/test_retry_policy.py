"""When an ask is asked again: the waits double, a server's own wish counts, and a restart is waited for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llm_gc.protocol import Ask, Failure
from llm_gc.runtime.retry_policy import RetryPolicy
from tests.backends.ollama.asking import an_ask

BUSY = Failure("server", "It is busy.", retry=True)
GONE = Failure("unreachable", "Nobody answers.", retry=True)


def asked(retries: int, restart: float = 15.0) -> Ask:
    """Return an ask that may be tried again."""
    return replace(an_ask(), retries=retries, restart=restart)


def waits(ask: Ask, failure: Failure, seconds: float = 0.0) -> list[float]:
    """Return the waits after one and the same failure, until there is no other try."""
    policy = RetryPolicy(ask)
    return list(iter(lambda: policy.wait(failure, seconds), None))


@pytest.mark.parametrize(("retries", "expected"), [(0, []), (2, [0.5, 1.0]), (6, [0.5, 1.0, 2.0, 4.0, 8.0, 8.0])])
def test_the_waits_double(retries: int, expected: list[float]) -> None:
    """As many as the limit says, and none is longer than eight seconds."""
    assert waits(asked(retries), BUSY) == expected
    assert waits(asked(retries), BUSY._replace(retry=False)) == []


@pytest.mark.parametrize(("after", "expected"), [(4.0, [4.0, 4.0]), (0.0, [0.0, 0.0]), (601.0, [])])
def test_a_server_says_itself_when_it_wants_to_be_asked_again(after: float, expected: list[float]) -> None:
    """No earlier than that; where that is beyond every measure, not at all."""
    assert waits(asked(2), BUSY._replace(after=after)) == expected


def test_a_restart_is_waited_for() -> None:
    """However many tries that takes, and connections that are not taken in time count."""
    assert waits(asked(2), GONE) == [0.5, 1.0, 2.0, 4.0, 7.5]
    assert waits(asked(2), GONE, seconds=5.0) == [0.5, 1.0]
    assert waits(asked(2, 0.001), GONE) == [0.5, 1.0]
    assert waits(asked(0, 0.0), GONE) == []


def test_the_tries_of_a_restart_count_for_nothing_else() -> None:
    """When the server is back, it may be busy; when it goes away again, that is another restart."""
    policy = RetryPolicy(asked(2))
    assert [policy.wait(GONE, 0.0) for _ in range(4)] == [0.5, 1.0, 2.0, 4.0]
    assert policy.wait(BUSY, 0.0) == 0.5
    assert [policy.wait(GONE, 0.0) for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 7.5, None]
    assert [policy.wait(BUSY, 0.0) for _ in range(2)] == [1.0, None]
