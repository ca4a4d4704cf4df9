"""What a speaker is sent: the system prompt, the opening, what it sees, its instructions; kinds in turn.

While a speaker sees all, its list only ever grows at the end, so that a model server can reuse what it has read: the
messages of one request are the beginning of the next one's, the last of them as a prefix. That holds across a block of
branches too (see ``order.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from llm_gc.conversation.history import Entry, History, Told
from llm_gc.errors import TemplateError
from llm_gc.protocol import Part, Request, Speaker
from llm_gc.steps.fields import View

GO_ON = "Go on."
"""What a speaker is told when the last message is its own and there is no instruction."""


def compose(system: str, opening: str, entries: Iterable[Entry], speaker: Speaker) -> Request:
    """Put a request together.

    Raises:
        TemplateError: where there is nothing to answer: no opening, nothing heard and no instruction.

    """
    start = (Part("system", system.strip()), Part("user", opening.strip()))
    parts = [part for part in start if part.text]
    said = (e.part if isinstance(e, Told) else e.own if e.speaker == speaker else e.others for e in entries)
    parts += [part for part in said if part.text]
    if not parts or parts[-1].kind != "user":
        words = "has nothing to answer: no opening, nothing that it sees, no instruction; give it one of them"
        raise TemplateError(f"{speaker.role} {words}")
    return Request(tuple(parts))


def visible(history: History, end: int, view: View, speaker: Speaker, start: int = 0) -> list[Entry]:
    """Give the entries that a speaker is sent, of those between ``start`` and ``end`` in its order.

    What failed is sent to nobody. ``view.last`` keeps the newest of each speaker, and as many instructions.
    """
    if view.last is None and view.from_ != "none":
        return [entry for entry in history.sent(speaker, start, end) if _is_sent(entry, view, speaker)]
    return [entry for _, entry in ranked(history, end, view, speaker, start)]


def ranked(history: History, end: int, view: View, speaker: Speaker, start: int = 0) -> list[tuple[int, Entry]]:
    """Give the same, each with its rank in the speaker's order."""
    if view.last is None and view.from_ != "none":
        sent = enumerate(history.sent(speaker, start, end), start)
        return [(rank, entry) for rank, entry in sent if _is_sent(entry, view, speaker)]
    speakers = () if view.from_ == "none" else history.speakers() | {speaker}
    newest = [islice(_sent_of(history, other, end, view, speaker), view.last) for other in speakers]
    told = islice(history.told_to(speaker, end), view.last)
    ranks = sorted((history.rank(speaker, position), position) for position in chain(told, *newest))
    return [(rank, history.view(speaker, position)) for rank, position in ranks if rank >= start]


def newest_sent(history: History, end: int, view: View, speaker: Speaker, start: int = 0) -> Entry | None:
    """Give the last entry that a speaker would be sent, of those before ``end`` in its order."""
    if view.from_ in ("none", "own"):  # what the others said in between need not be looked at
        said = () if view.from_ == "none" else islice(_sent_of(history, speaker, end, view, speaker), 1)
        newest = chain(said, islice(history.told_to(speaker, end), 1))
        rank, position = max(((history.rank(speaker, at), at) for at in newest), default=(-1, -1))
        return history.view(speaker, position) if rank >= start else None
    return next((entry for entry in history.sent_back(speaker, start, end) if _is_sent(entry, view, speaker)), None)


def _sent_of(history: History, other: Speaker, end: int, view: View, speaker: Speaker) -> Iterator[int]:
    """Give the positions before ``end`` of what somebody said and the speaker is sent, the newest first."""
    own = other == speaker
    for position in history.own_by(speaker, end) if own else history.said_by(other, end):
        entry = history.view(speaker, position)
        if _is_sent(entry, view, speaker) and (own or entry.speaker != speaker):
            yield position


def _is_sent(entry: Entry, view: View, speaker: Speaker) -> bool:
    if isinstance(entry, Told):
        return entry.speaker == speaker
    own = entry.speaker == speaker
    if entry.message.failed or not (own or entry.heard):
        return False
    if view.from_ == "all":
        return True
    match view.from_:
        case "none":
            return False
        case "own":
            return own
        case "others":
            return not own
        case roles:
            return entry.speaker.role in roles
