"""A whole run: from a loaded pipeline, by way of the preflight and the turns, to a transcript on the disk."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llm_gc import sessions
from llm_gc._version import RULES, __version__
from llm_gc.backends.interface import Backend, Facts, Progress
from llm_gc.core import Conversation, Outcome, Turn
from llm_gc.core.run_context import RunContext
from llm_gc.errors import SessionError, Unanswered, UsageError
from llm_gc.language.control_tokens import tokens_in
from llm_gc.project import Loaded
from llm_gc.runtime.gates import Gates
from llm_gc.runtime.live import Live
from llm_gc.runtime.observers import ConversationJournal, HeldSession, Recorder, RunObserver
from llm_gc.runtime.resolution import cast_with_needs, digests, resolve
from llm_gc.runtime.resume_point import ResumePoint, versions_now
from llm_gc.runtime.worker import Worker
from llm_gc.transcript.records import Header, Resumption, Transcript, Versions
from llm_gc.transcript.replies import conversation_of, header_of
from llm_gc.values.frozen import plain

INTERRUPTED = "stopped by hand"

ReserveJournal = Callable[[Path, str, datetime], ConversationJournal]
"""Makes the journal of a new conversation: in a folder, for a pipeline of a name, at a moment."""


@dataclass
class Run:
    """One run. After ``go``, ``transcript`` and ``outcome`` hold what came of it, also when it was cancelled.

    With a ``past`` it begins where that ends: what is recorded is not asked again.
    """

    loaded: Loaded
    inputs: Mapping[str, Any]
    backend: Backend
    watchers: Sequence[RunObserver] = ()
    sessions: Path = Path("sessions")
    seed: int | None = None
    gates: Gates = field(default_factory=Gates)
    past: ResumePoint | None = None
    reserve: ReserveJournal | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    transcript: Transcript | None = field(default=None, init=False)
    outcome: Outcome | None = field(default=None, init=False)
    path: Path | None = field(default=None, init=False)
    _worker: Worker = field(default_factory=Worker, init=False)

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
        journal, header, conversation = await (self._take_up() if self._taken else self._begin())
        with contextlib.closing(journal):
            await self._drive(conversation, journal, header)
        assert self.transcript is not None  # noqa: S101  # a conversation whose asks are all answered has ended
        return self.transcript

    @property
    def _taken(self) -> HeldSession | None:
        return self.past.taken if self.past is not None else None

    async def _begin(self) -> tuple[ConversationJournal, Header, Conversation]:
        """Reserve a file for the transcript before anything takes time; remove it if the run cannot begin."""
        journal = (self.reserve or sessions.reserve)(self.sessions, self.loaded.pipeline.name, self.now())
        try:
            header, conversation = await self._prepare(journal.id)
            if self.past is not None:
                await self._worker.do(self.past.feed, conversation)
                if conversation.outcome is not None:
                    raise UsageError(f"the conversation has already ended: {conversation.outcome.detail}")
            self._warn_of_tokens(header.inputs)
            journal.append(*await self._worker.do(self._first_lines, header, conversation))
        except BaseException:
            journal.discard()
            raise
        return journal, header, conversation

    def _warn_of_tokens(self, inputs: Mapping[str, Any]) -> None:
        """Report the control tokens in inputs; those in replies are reported with their turns."""
        for name, value in inputs.items():
            if found := tokens_in(str(plain(value))):
                words = f"control tokens in the input {name!r} are broken wherever it is sent"
                self._trouble(f"{words}: {', '.join(found[:3])}")

    async def _take_up(self) -> tuple[ConversationJournal, Header, Conversation]:
        """Go back to where a session was interrupted; it stays as it is until it can continue."""
        past, taken = self.past, self._taken
        assert past is not None  # noqa: S101
        assert taken is not None  # noqa: S101
        header = header_of(past.transcript)
        conversation = await self._worker.do(conversation_of, past.transcript, self._worker.visited)
        await self._worker.do(past.feed, conversation)
        if conversation.outcome is None:
            facts = await self._preflight(await self._stage())
            for warning in past.changed_models(facts):
                self._trouble(warning)
            versions = versions_now(header.versions, facts, __version__)
            resumption = Resumption(sessions.stamp(self.now()), past.reaches(conversation), versions)
            header = replace(header, resumed=(*header.resumed, resumption))
        journal = taken.reopen(await self._worker.do(self._first_lines, header, conversation))
        return journal, header, conversation

    def _first_lines(self, header: Header, conversation: Conversation) -> list[dict[str, Any]]:
        """Return the lines of all that is known by now: the start, and the turns that were taken over."""
        past = self.past
        self._recorder = Recorder(self._trouble, past.sent if past is not None else {})
        self._known = past.reaches(conversation) if past is not None else 0
        return [{"start": header}, *map(self._recorder.line, conversation.log[: self._known])]

    async def _drive(self, conversation: Conversation, journal: ConversationJournal, header: Header) -> None:
        """Answer the conversation to its end and close the transcript, also where it is cancelled."""
        self._recorder.journal = journal
        try:
            watchers = (self._recorder, *self.watchers)
            live = Live(conversation, self.backend, watchers, gates=self.gates, told=self._known, worker=self._worker)
            await live.run()
        except asyncio.CancelledError:
            conversation.interrupt(INTERRUPTED)
            raise
        except Unanswered as error:
            there = f"the finished turns are in {journal.path}, and nothing of them is lost"
            raise Unanswered(f"{error}; {there}; llm-gc resume {journal.path} continues with them") from error
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
        stage = await self._stage()
        facts = await self._preflight(stage)
        seed = self.seed if self.seed is not None else loaded.pipeline.seed
        seed = secrets.randbelow(2**31) if seed is None else seed
        resolved = await self._worker.do(resolve, loaded, self.inputs, facts, seed)
        about = sorted(((model, about) for (_, model), about in facts.models.items()), key=lambda item: item[0])
        windows = {model: facts.num_ctx for model, facts in about if facts.num_ctx is not None}
        versions = Versions(__version__, facts.backend, facts.server, digests(facts), windows)
        parent = self.past.parent if self.past is not None else None
        now = sessions.stamp(self.now())
        header = Header(id_, resolved.record, stage.inputs, seed, now, versions, rules=RULES, parent=parent)
        inputs, visit = self.inputs, self._worker.visited
        return header, await self._worker.do(Conversation, resolved.pipeline, inputs, resolved.files, visit)

    async def _stage(self) -> RunContext:
        return await self._worker.do(RunContext, self.loaded.pipeline, self.inputs, self.loaded.files)

    async def _preflight(self, stage: RunContext) -> Facts:
        castings = await self._worker.do(cast_with_needs, self.loaded, self.inputs)
        facts = await self.backend.preflight(castings, stage.bounds.load_timeout, self._preparing)
        for warning in facts.warnings:
            self._trouble(warning)
        return facts

    def _close(self, journal: ConversationJournal, header: Header, turns: Sequence[Turn], outcome: Outcome) -> None:
        self.outcome = outcome
        self.transcript = self._recorder.finish(header, turns, outcome, sessions.stamp(self.now()))
        try:
            self._recorder.keep_place()
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
