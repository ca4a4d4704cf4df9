"""The history of a scene: as it was at any time, whatever was added since."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from llm_gc.core.copies import named
from llm_gc.core.history import Entry, History, PrivateEntry, SpokenEntry
from llm_gc.protocol import Message, Speaker
from tests.core.test_properties import SETTINGS

SPEAKERS = [Speaker("anna"), Speaker("ben"), Speaker("anna", 1), Speaker("ben", 2)]

speakers = st.sampled_from(SPEAKERS[:3])
entries = st.one_of(
    st.builds(
        lambda speaker, id_: SpokenEntry(speaker, Message(speaker.role), "", id_),
        speakers,
        st.sampled_from(["a", None]),
    ),
    st.builds(lambda speaker: PrivateEntry(speaker, str), speakers),
)
blocks = st.lists(st.lists(entries, max_size=3), min_size=2, max_size=3)


def seen(history: History) -> tuple[Any, ...]:
    """Return all that can be asked of a history."""
    end = len(history)
    by_speaker = [
        (
            list(history.said_by(speaker, end)),
            list(history.own_by(speaker, end)),
            list(history.told_to(speaker, end)),
            history.sent(speaker, 0, end),
            [history.rank(speaker, position) for position in range(end)],
        )
        for speaker in SPEAKERS
    ]
    return (history.own(), list(history.asked()), history.speakers(), history.state, by_speaker)


def grow(history: History, step: Entry | list[list[Entry]], newest: dict[str, int]) -> None:
    """Add an entry, or the branches of a block; ``newest`` are the highest numbers of copies."""
    if not isinstance(step, list):
        history.add(step)
        return
    forks = [History(history) for _ in step]
    for fork, branch in zip(forks, step, strict=True):
        for entry in branch:
            fork.add(entry)
    names, highest = named([fork.spoke() for fork in forks], [fork.asked() for fork in forks], newest)
    newest.update(highest)
    joined = []
    for fork, mine in zip(forks, names, strict=True):
        joined.append((fork, [entry.of_speaker(mine.get(entry.speaker, entry.speaker)) for entry in fork.own()], mine))
    history.join(joined)


@SETTINGS
@given(st.lists(st.one_of(entries, blocks), max_size=6), st.lists(st.one_of(entries, blocks), max_size=4))
def test_a_history_is_given_as_it_was(before: list[Any], since: list[Any]) -> None:
    """With blocks before and since; what is added to one of both is not in the other."""
    history, once = History(), History()
    newest, then = ({"anna": 1, "ben": 1} for _ in range(2))
    for step in before:
        grow(history, step, newest)
        grow(once, step, then)
    end = len(history)
    for step in since:
        grow(history, step, newest)
    now = seen(history)
    earlier = history.before(end)
    assert seen(earlier) == seen(once)
    for step in since:
        grow(earlier, step, then)
    assert seen(earlier) == seen(history) == now
