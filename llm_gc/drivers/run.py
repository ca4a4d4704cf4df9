"""A whole run: from a loaded pipeline, by way of the preflight and the turns, to a transcript on the disk."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from llm_gc import sessions
from llm_gc._version import __version__
from llm_gc.backends.base import Backend, Progress
from llm_gc.conversation import Conversation, Outcome, Turn
from llm_gc.conversation.stage import Stage
from llm_gc.drivers.live import Live, Watcher
from llm_gc.drivers.resolved import cast, digests, resolve
from llm_gc.errors import SessionError, Unanswered
from llm_gc.project import Loaded
from llm_gc.protocol import Ask, Failure
from llm_gc.records import Header, Transcript, Versions
from llm_gc.sessions import Journal
from llm_gc.transcript import Encoder, finish

INTERRUPTED = "stopped by hand"


class RunWatcher(Watcher, Protocol):
    """A watcher that is also told what happens before the first turn and after the last one."""

    def preparing(self, progress: Progress) -> None:
        """A model is loaded before the first turn."""

    def trouble(self, message: str) -> None:
        """Something went wrong that does not end the conversation."""

    def ended(self, transcript: Transcript, outcome: Outcome, path: Path | None) -> None:
        """It is over; ``path`` is where the transcript is, none where it could not be written."""


class Unmoved:
    """A watcher to whom nothing matters: the base of one to whom something does."""

    def preparing(self, progress: Progress) -> None: ...

    def began(self, ask: Ask) -> None: ...

    def progress(self, ask: Ask, progress: Progress) -> None: ...

    def retrying(self, ask: Ask, failure: Failure, wait: float) -> None: ...

    def settled(self, turn: Turn) -> None: ...

    def trouble(self, message: str) -> None: ...

    def ended(self, transcript: Transcript, outcome: Outcome, path: Path | None) -> None: ...


@dataclass
class Run:
    """One run. After ``go``, ``transcript`` and ``outcome`` hold what came of it, also when it was cancelled."""

    loaded: Loaded
    inputs: Mapping[str, Any]
    backend: Backend
    watchers: Sequence[RunWatcher] = ()
    sessions: Path = Path("sessions")
    seed: int | None = None
    parallel: int = 1
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    transcript: Transcript | None = field(default=None, init=False)
    outcome: Outcome | None = field(default=None, init=False)
    path: Path | None = field(default=None, init=False)

    async def go(self) -> Transcript:
        """Run it.

        Raises:
            LlmGcError: where it cannot begin: no server, no model, no place for the transcript.
            asyncio.CancelledError: when it is cancelled; the transcript is closed as interrupted first.

        """
        try:
            return await self._go()
        finally:
            await self.backend.aclose()

    async def _go(self) -> Transcript:
        """Have a place for the transcript before anything costs time; leave no trace of what cannot begin."""
        journal = sessions.reserve(self.sessions, self.loaded.pipeline.name, self.now())
        try:
            header, conversation = await self._prepare(journal.id)
            journal.append({"start": header})
        except BaseException:
            journal.discard()
            raise
        with contextlib.closing(journal):
            await self._drive(conversation, journal, header)
        assert self.transcript is not None  # noqa: S101  # a conversation whose asks are all answered has ended
        return self.transcript

    async def _drive(self, conversation: Conversation, journal: Journal, header: Header) -> None:
        """Let it be answered to its end, and close the transcript: also where it is cancelled."""
        recorder = _Recorder(journal, self._trouble)
        try:
            await Live(conversation, self.backend, (recorder, *self.watchers), parallel=self.parallel).run()
        except asyncio.CancelledError:
            conversation.interrupt(INTERRUPTED)
            raise
        except Unanswered as error:
            there = f"the finished turns are in {journal.path}, and nothing of them is lost"
            raise Unanswered(f"{error}; {there}") from error
        except Exception:
            if conversation.outcome is None:
                self._trouble(f"the finished turns are in {journal.path}")
            raise
        finally:
            if conversation.outcome is not None:
                self._close(journal, header, conversation.turns, conversation.outcome)

    async def _prepare(self, id_: str) -> tuple[Header, Conversation]:
        """Ask the backend what is there, and make it part of the document: from here on nothing is asked outside."""
        loaded = self.loaded
        stage = Stage(loaded.pipeline, self.inputs, loaded.files)
        facts = await self.backend.preflight(cast(loaded, self.inputs), stage.bounds.load_timeout, self._preparing)
        for warning in facts.warnings:
            self._trouble(warning)
        seed = self.seed if self.seed is not None else loaded.pipeline.seed
        seed = secrets.randbelow(2**31) if seed is None else seed
        resolved = resolve(loaded, self.inputs, facts, seed)
        versions = Versions(__version__, facts.backend, facts.server, digests(facts))
        header = Header(id_, resolved.record, stage.inputs, seed, sessions.stamp(self.now()), versions)
        return header, Conversation(resolved.pipeline, self.inputs, resolved.files)

    def _close(self, journal: Journal, header: Header, turns: Iterable[Turn], outcome: Outcome) -> None:
        self.outcome = outcome
        self.transcript = finish(header, turns, outcome, sessions.stamp(self.now()))
        try:
            self.path = journal.finish(self.transcript)
        except SessionError as error:
            self._trouble(str(error))
        for watcher in self.watchers:
            watcher.ended(self.transcript, outcome, self.path)

    def _preparing(self, progress: Progress) -> None:
        for watcher in self.watchers:
            watcher.preparing(progress)

    def _trouble(self, message: str) -> None:
        for watcher in self.watchers:
            watcher.trouble(message)


class _Recorder(Unmoved):
    """Writes each turn to the journal when it is settled, before anything else is done about it.

    What cannot be written waits in memory and is tried again before the next turn: a journal has no gaps.
    """

    def __init__(self, journal: Journal, trouble: Callable[[str], None]) -> None:
        self._journal, self._trouble = journal, trouble
        self._encoder = Encoder()
        self._owed: list[dict[str, Any]] = []
        self._warned = False

    def settled(self, turn: Turn) -> None:
        known = len(self._encoder.texts)
        record = self._encoder.turn(turn)
        texts = dict(islice(self._encoder.texts.items(), known, None))
        self._owed.append({"turn": record, "texts": texts})
        try:
            while self._owed:
                self._journal.append(self._owed[0])
                del self._owed[0]
        except SessionError as error:
            if not self._warned:
                self._trouble(f"{error} (the conversation goes on, and is kept in memory)")
            self._warned = True
