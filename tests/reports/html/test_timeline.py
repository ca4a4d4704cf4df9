"""The bars of the time line are the figures of the record."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gc.protocol import Latency
from llm_gc.reports.html.outline import outline
from llm_gc.reports.html.timeline import phases, timeline
from llm_gc.transcript.records import AttemptRecord, ErrorRecord, TurnRecord
from tests.shown import rich

TURN = rich().turns[0]
FAILED = ErrorRecord("timeout", "Too late.")


def turn(latency: Latency, seconds: float | None = None, **more: object) -> TurnRecord:
    """Return a turn that took so long."""
    return replace(TURN, latency=latency, seconds=latency.total if seconds is None else seconds, **more)  # type: ignore[arg-type]


def test_the_phases_are_the_servers_figures() -> None:
    """Load, prompt, what is left until the first token, generation, and the rest of what was measured."""
    found = dict(phases(turn(Latency(total=5.0, load=1.0, first_token=2.0, prompt=0.5, generation=2.75))))
    assert found == pytest.approx({"load": 1.0, "prompt": 0.5, "wait": 0.5, "generation": 2.75, "rest": 0.25})


def test_a_load_of_its_own_is_not_in_the_first_token() -> None:
    """A model that was loaded before the request: the first token is counted from the request."""
    found = dict(phases(turn(Latency(total=8.0, load=4.0, first_token=1.5, prompt=1.0, generation=2.5))))
    assert found == pytest.approx({"load": 4.0, "prompt": 1.0, "wait": 0.5, "generation": 2.5})


def test_waiting_for_a_slot_is_told_from_waiting_for_the_first_token() -> None:
    """The server has done nothing in it; it is within the time until the first token."""
    found = dict(phases(turn(Latency(total=9.0, load=1.0, first_token=7.5, prompt=0.5, generation=1.5, wait=5.5))))
    assert found == pytest.approx({"slot": 5.5, "load": 1.0, "prompt": 0.5, "wait": 0.5, "generation": 1.5})


def test_a_server_that_says_little() -> None:
    """Without the server's figures there is what was measured here."""
    assert dict(phases(turn(Latency(total=3.0, first_token=1.0)))) == pytest.approx({"wait": 1.0, "generation": 2.0})
    assert dict(phases(turn(Latency(total=3.0)))) == pytest.approx({"rest": 3.0})
    assert dict(phases(turn(Latency(), 0.0))) == {}


def test_tries_come_before_the_reply() -> None:
    """Those of the same ask are in its seconds, those that were asks of their own are not."""
    again = AttemptRecord(TURN.id, FAILED, seconds=2.0)
    repaired = AttemptRecord("another", FAILED, seconds=4.0)
    same = turn(Latency(total=1.0), seconds=3.5, attempts=(again,))
    assert list(phases(same)) == [("tries", 2.5), ("rest", 1.0)]
    own = turn(Latency(total=1.0), attempts=(repaired,))
    assert list(phases(own)) == [("tries", 4.0), ("rest", 1.0)]


def test_a_failed_turn_is_one_failed_try() -> None:
    """Whatever it was, nothing came of it."""
    assert dict(phases(turn(Latency(total=30.0, load=2.0), error=FAILED))) == pytest.approx({"tries": 30.0})


SECONDS = st.one_of(st.none(), st.floats(0, 100))


@given(st.builds(Latency, SECONDS, SECONDS, SECONDS, SECONDS, SECONDS, SECONDS), st.floats(0, 100))
def test_a_bar_is_as_long_as_its_turn(latency: Latency, more: float) -> None:
    """Whatever a server says of its phases, together they are the time that the turn took."""
    seconds = (latency.total or 0.0) + more
    found = list(phases(turn(latency, seconds)))
    assert all(taken > 0 for _, taken in found)
    assert sum(taken for _, taken in found) == pytest.approx(seconds, abs=0.004)


def test_turns_follow_each_other_and_branches_begin_together() -> None:
    """What comes after a block begins when its longest branch has ended."""
    transcript = rich()
    bars, whole = timeline(outline(transcript.turns))
    planner, coder, *critics = (bars[turn.id] for turn in transcript.turns[:5])
    after = bars[transcript.turns[5].id]
    assert planner.start == 0
    assert coder.start == pytest.approx(planner.seconds)
    assert {critic.start for critic in critics} == {coder.start + coder.seconds}
    assert after.start == pytest.approx(max(critic.start + critic.seconds for critic in critics))
    last = bars[transcript.turns[-1].id]
    assert whole == pytest.approx(last.start + last.seconds)
    together = sum(sorted(critic.seconds for critic in critics)[:-1])
    assert whole == pytest.approx(transcript.totals.seconds - together, abs=0.01)
