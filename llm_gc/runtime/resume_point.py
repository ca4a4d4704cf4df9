"""What a run takes over from a record before anybody is asked: an interrupted conversation's turns, or a fork's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from llm_gc._version import RULES
from llm_gc.backends.interface import Facts
from llm_gc.core import Conversation
from llm_gc.errors import UnreadableSession, UsageError
from llm_gc.runtime.observers import HeldSession
from llm_gc.runtime.resolution import digests
from llm_gc.transcript.encode import MessageDecoder, Sent
from llm_gc.transcript.records import AttemptRecord, Parent, Transcript, TurnRecord, Versions
from llm_gc.transcript.replies import before, check_rules, conversation_of, feed, kept, replies

SHORT = 19
"""So many characters of a digest, ``sha256:`` among them, are enough to tell it by."""


@dataclass(frozen=True)
class ResumePoint:
    """The turns that are taken over; with ``taken``, the session itself is resumed, else another one begins."""

    transcript: Transcript
    turns: tuple[TurnRecord, ...]
    taken: HeldSession | None = field(default=None, compare=False)
    parent: Parent | None = None

    def feed(self, conversation: Conversation) -> None:
        """Answer from the record whatever is taken over.

        Raises:
            UsageError: where the pipeline does not ask for all of that.
            UnreadableSession: where the record was made under newer rules than this llm-gc knows.

        """
        check_rules(self.transcript)
        recorded = replies(self.turns)
        feed(conversation, lambda ask: recorded.get(ask.id))
        asked = {turn.exchange.ask.id for turn in conversation.log}
        missed = next((turn for turn in self.turns if turn.id not in asked), None)
        if missed is not None:
            number = f"turn {missed.turn}, " if missed.turn else ""
            ended = conversation.outcome
            why = f"; it ends before ({ended.reason}: {ended.detail})" if ended else ""
            raise UsageError(
                f"{number}{missed.label} at {missed.id} of {self.transcript.id} is not asked by this pipeline{why}"
                f"{self._rules}; fork before that"
            )

    @property
    def _rules(self) -> str:
        rules = self.transcript.rules
        return "" if rules == RULES else f"; it was recorded under rules {rules}, and rules {RULES} decide otherwise"

    def reaches(self, conversation: Conversation) -> int:
        """Return how far the past reaches into a conversation's log; what follows came of itself after it."""
        taken_over = {turn.id for turn in self.turns}
        log = [turn.exchange.ask.id for turn in conversation.log]
        return max((at + 1 for at, id_ in enumerate(log) if id_ in taken_over), default=0)

    @cached_property
    def sent(self) -> Mapping[str, Sent]:
        """What was really sent then: another pipeline, or another llm-gc, might have made other requests.

        Raises:
            UnreadableSession: where it cannot be rebuilt: the transcript was changed.

        """
        decoder = MessageDecoder(self.transcript)
        records: list[TurnRecord | AttemptRecord] = [*self.turns]
        records += [attempt for turn in self.turns for attempt in turn.attempts]
        try:
            return {
                one.id: Sent(
                    decoder.request(one),
                    sent.options,
                    sent.format,
                    sent.model,
                    getattr(one, "context", None),
                    sent.unsent,
                )
                for one in records
                if (sent := one.request) is not None
            }
        except ValueError as error:
            raise UnreadableSession(f"{self.transcript.id} cannot be resumed: {error}") from error

    def changed_models(self, facts: Facts) -> Iterable[str]:
        """Return which models are others by now than those that answered before."""
        resumed = self.transcript.resumed
        known = resumed[-1].versions.models if resumed else self.transcript.versions.models
        for (_, model), about in facts.models.items():
            then = known.get(model)
            if then and about.digest and then != about.digest:
                yield f"the model {model} has changed since ({then[:SHORT]} then, {about.digest[:SHORT]} now)"


def interrupted(transcript: Transcript, taken: HeldSession) -> ResumePoint:
    """Return the past of a session that continues: all turns but those at its end that failed."""
    return ResumePoint(transcript, kept(transcript), taken)


def forked(transcript: Transcript, turn: int | None) -> ResumePoint:
    """Return the past of a fork: the turns before number ``turn``, or all but those at the end that failed.

    Raises:
        UsageError: where there was no such turn.

    """
    transcript = _numbered(transcript)
    if turn is None:
        turns = kept(transcript)
        turn = max((one.turn for one in turns if one.turn is not None), default=0) + 1
        return ResumePoint(transcript, turns, parent=Parent(transcript.id, turn))
    try:
        return ResumePoint(transcript, before(transcript, turn), parent=Parent(transcript.id, turn))
    except ValueError as error:
        raise UsageError(str(error)) from error


def nothing_left(transcript: Transcript) -> bool:
    """Return whether a conversation has ended in a way that asking again could not change."""
    match transcript.status:
        case "completed" | "stopped":
            return True
        case "failed":
            return len(kept(transcript)) == len(transcript.turns)
    return False


def versions_now(versions: Versions, facts: Facts, llm_gc: str) -> Versions:
    """Return who takes part from now on; models that nobody was asked about stay as they were."""
    models = {**versions.models, **digests(facts)}
    return Versions(llm_gc, facts.backend, facts.server, dict(sorted(models.items())), versions.windows)


def _numbered(transcript: Transcript) -> Transcript:
    """Put the turns of a journal, which are in order of arrival, in declared order and number them."""
    if transcript.status != "interrupted":
        return transcript
    conversation, recorded = conversation_of(transcript), replies(transcript.turns)
    feed(conversation, lambda ask: recorded.get(ask.id))
    by_id = {turn.id: turn for turn in transcript.turns}
    order = [(turn.exchange.ask.id, turn.number) for turn in conversation.turns]
    return replace(transcript, turns=tuple(replace(by_id[id_], turn=number) for id_, number in order))
