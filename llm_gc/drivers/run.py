"""A whole run: from a loaded pipeline, by way of the preflight and the turns, to a transcript on the disk."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from llm_gc import project, sessions
from llm_gc._version import __version__
from llm_gc.backends.base import Backend, Facts, Progress
from llm_gc.conversation import Conversation, Outcome, Turn
from llm_gc.conversation.stage import Stage
from llm_gc.drivers.live import Live, Watcher
from llm_gc.errors import SessionError
from llm_gc.pipeline import Pipeline
from llm_gc.project import Loaded
from llm_gc.protocol import Ask, Casting, Failure
from llm_gc.records import Header, PipelineRecord, Transcript, Versions
from llm_gc.sessions import Journal
from llm_gc.transcript import Encoder, digest, finish

INTERRUPTED = "somebody stopped it"


class RunWatcher(Watcher, Protocol):
    """A watcher that is also told what happens before the first turn and after the last one."""

    def preparing(self, progress: Progress) -> None:
        """A model is loaded before the first turn."""

    def trouble(self, message: str) -> None:
        """Something went wrong that does not end the conversation."""

    def ended(self, transcript: Transcript, outcome: Outcome, path: Path | None) -> None:
        """It is over; ``path`` is where the transcript is, none where it could not be written."""


@dataclass
class Run:
    """One run. After ``go``, ``transcript`` and ``outcome`` hold what came of it, also when it was cancelled."""

    loaded: Loaded
    inputs: Mapping[str, Any]
    backend: Backend
    watchers: Iterable[RunWatcher] = ()
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
        journal = sessions.reserve(self.sessions, self.loaded.pipeline.name, self.now())
        try:
            header, pipeline = await self._prepare(journal.id)
            conversation = Conversation(pipeline, self.inputs, self.loaded.prompts)
            journal.append({"start": header})
        except BaseException:
            await self.backend.aclose()
            journal.discard()
            raise
        try:
            recorder = _Recorder(journal, self._trouble)
            live = Live(conversation, self.backend, (recorder, *self.watchers), parallel=self.parallel)
            await live.run()
        except asyncio.CancelledError:
            conversation.interrupt(INTERRUPTED)
            raise
        finally:
            if conversation.outcome is not None:
                self._close(journal, header, conversation.turns, conversation.outcome)
            await self.backend.aclose()
        assert self.transcript is not None  # noqa: S101  # a conversation whose asks are all answered has ended
        return self.transcript

    async def _prepare(self, id_: str) -> tuple[Header, Pipeline]:
        """Ask the backend what is there, and make it part of the document: from here on nothing is asked outside."""
        loaded = self.loaded
        stage = Stage(loaded.pipeline, self.inputs, loaded.prompts)
        facts = await self.backend.preflight(list(stage.castings.values()), stage.bounds.load_timeout, self._preparing)
        seed = self.seed if self.seed is not None else loaded.pipeline.seed
        seed = secrets.randbelow(2**31) if seed is None else seed
        document = _resolved(loaded.pipeline, stage.castings, facts, seed)
        whole = {"document": document, "prompts": loaded.prompts}
        record = PipelineRecord(loaded.pipeline.name, loaded.file, digest(whole), document, loaded.prompts)
        models = {model: about.digest for (_, model), about in sorted(facts.models.items(), key=lambda i: i[0][1])}
        versions = Versions(__version__, facts.backend, facts.server, models)
        header = Header(id_, record, dict(self.inputs), seed, _stamp(self.now()), versions)
        return header, Pipeline.model_validate(document)

    def _close(self, journal: Journal, header: Header, turns: Iterable[Turn], outcome: Outcome) -> None:
        self.outcome = outcome
        self.transcript = finish(header, turns, outcome, _stamp(self.now()))
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


class _Recorder:
    """Writes each turn to the journal when it is settled, before anything else is done about it."""

    def __init__(self, journal: Journal, trouble: Callable[[str], None]) -> None:
        self._journal, self._trouble = journal, trouble
        self._encoder = Encoder()
        self._broken = False

    def settled(self, turn: Turn) -> None:
        known = set(self._encoder.texts)
        record = self._encoder.turn(turn)
        texts = {key: text for key, text in self._encoder.texts.items() if key not in known}
        try:
            self._journal.append({"turn": record, "texts": texts})
        except SessionError as error:
            if not self._broken:
                self._trouble(f"{error} (the conversation goes on, and is kept in memory)")
            self._broken = True

    def began(self, ask: Ask) -> None: ...

    def progress(self, ask: Ask, progress: Progress) -> None: ...

    def retrying(self, ask: Ask, failure: Failure, wait: float) -> None: ...


def _resolved(pipeline: Pipeline, castings: Mapping[str, Casting], facts: Facts, seed: int) -> dict[str, Any]:
    """Give the document with the seed and each role's context window written into it."""
    document = project.document(pipeline)
    document["seed"] = seed
    for name, casting in castings.items():
        about = facts.models.get((casting.host, casting.model))
        window = casting.options.get("num_ctx", about.num_ctx if about else None)
        if window is not None and document["roles"][name].get("num_ctx") is None:
            document["roles"][name]["num_ctx"] = window
    return document


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
