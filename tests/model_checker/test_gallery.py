"""Every pipeline that ships rehearses clean, and each ending that is found can be played."""

from __future__ import annotations

import pytest

from tests.gallery.plays import load, names
from tests.model_checker.exploring import played, report


@pytest.mark.parametrize("name", names())
def test_it_rehearses_clean(name: str) -> None:
    """All states are looked at, and nothing is wrong; each proposed case ends as it says."""
    loaded = load(name)
    reported = report(loaded)
    assert reported.whole
    assert [str(told.finding) for told in reported.findings if not told.is_note] == []
    assert len(reported.cases) == len(reported.endings) or name == "group-chat-by-hand"  # one takes a hundred turns
    for case in reported.cases:
        done = played(loaded, case)
        assert done.missing is None
        assert done.left == ()
        assert done.conversation.outcome is not None
        outcome, ended = done.conversation.outcome, case["expect"]["ended"]
        assert ended == ({"status": "failed", "reason": outcome.reason} if outcome.is_failed else outcome.reason)
