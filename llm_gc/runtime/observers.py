"""Whoever watches a run: what they are told, and the one who writes it all down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from operator import is_
from pathlib import Path
from typing import Any, Protocol

from llm_gc.backends.interface import Progress
from llm_gc.core import Outcome, Turn
from llm_gc.errors import SessionError
from llm_gc.protocol import Ask, Failure
from llm_gc.runtime.live import Observer
from llm_gc.transcript.encode import MessageEncoder, Sent, assemble, finish
from llm_gc.transcript.records import Header, Transcript, TurnRecord


class ConversationJournal(Protocol):
    """Where a conversation is kept while it runs: a file of its own, or its lines in that of a batch."""

    @property
    def id(self) -> str:
        """The id of the conversation."""

    @property
    def path(self) -> Path:
        """Where it is kept."""

    def append(self, *lines: Mapping[str, Any]) -> None:
        """Write lines, and return when they are on the disk."""

    def write(self, *lines: Mapping[str, Any]) -> None:
        """Write lines, and return when the system has them."""

    def keep_place(self) -> Path | None:
        """Continue in another place where the file is gone, and return it."""

    def finish(self, transcript: Transcript) -> Path:
        """Put the transcript in the journal's place."""

    def discard(self) -> None:
        """Leave nothing behind: the conversation never began."""

    def close(self) -> None:
        """Close the file, and leave it as it is."""


class HeldSession(Protocol):
    """A conversation that was interrupted, and that nobody else continues."""

    def reopen(self, lines: Iterable[Mapping[str, Any]]) -> ConversationJournal:
        """Begin its journal again with these lines."""


class RunObserver(Observer, Protocol):
    """A watcher that is also told what happens before the first turn and after the last one."""

    def preparing(self, progress: Progress) -> None:
        """A model is loaded before the first turn."""

    def trouble(self, message: str) -> None:
        """Something went wrong that does not end the conversation."""

    def ended(self, transcript: Transcript, outcome: Outcome, path: Path | None) -> None:
        """It is over; ``path`` is where the transcript is, None where it could not be written."""


class NullObserver:
    """A watcher to whom nothing matters: the base of one to whom something does."""

    def preparing(self, progress: Progress) -> None: ...

    def began(self, ask: Ask) -> None: ...

    def progress(self, ask: Ask, progress: Progress) -> None: ...

    def retrying(self, ask: Ask, failure: Failure, wait: float) -> None: ...

    def settled(self, turn: Turn) -> None: ...

    def trouble(self, message: str) -> None: ...

    def ended(self, transcript: Transcript, outcome: Outcome, path: Path | None) -> None: ...


class Recorder(NullObserver):
    """Writes each turn to the journal when it is settled, before anything else is done about it.

    What cannot be written waits in memory and is tried again before the next turn: a journal has no gaps.
    """

    journal: ConversationJournal
    """Where to; it can be set when the first lines have been."""

    def __init__(self, trouble: Callable[[str], None], sent: Mapping[str, Sent]) -> None:
        """Write a turn, and report to ``trouble`` what cannot be written; ``sent`` as ``MessageEncoder`` takes it."""
        self._trouble = trouble
        self._encoder, self._sent = MessageEncoder(sent), sent
        self._records: list[TurnRecord] = []
        self._turns: list[Turn] = []
        self._owed: list[dict[str, Any]] = []
        self._warned = False

    def line(self, turn: Turn) -> dict[str, Any]:
        """Return a turn's line, with the texts that no line before it holds."""
        known = len(self._encoder.texts)
        record = self._encoder.turn(turn)
        self._turns.append(turn)
        self._records.append(record)
        return {"turn": record, "texts": dict(islice(self._encoder.texts.items(), known, None))}

    def finish(self, header: Header, turns: Sequence[Turn], outcome: Outcome, ended_at: str) -> Transcript:
        """Return the transcript of ``turns``: of what was written already, where that is in their order."""
        same = len(turns) == len(self._turns) and all(map(is_, turns, self._turns))
        if not same:  # branches side by side arrive as they like, and are numbered when all of them are done
            return finish(header, turns, outcome, ended_at, self._sent)
        return assemble(header, tuple(self._records), dict(self._encoder.texts), outcome, ended_at)

    def keep_place(self) -> None:
        """Continue the journal elsewhere where its folder is gone, and report where.

        Raises:
            SessionError: where it cannot.

        """
        gone = self.journal.path
        if (path := self.journal.keep_place()) is not None:
            self._trouble(f"{gone} is gone; the conversation continues, and all of it is kept in {path}")

    def settled(self, turn: Turn) -> None:
        """Write it."""
        self._owed.append(self.line(turn))
        try:
            self.keep_place()
            while self._owed:
                self.journal.write(self._owed[0])
                del self._owed[0]
        except SessionError as error:
            if not self._warned:
                self._trouble(f"{error} (the conversation continues, and is kept in memory)")
            self._warned = True
