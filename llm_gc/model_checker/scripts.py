"""From a way that was found to a case of a test file: what each role replies, and what is to be expected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any, NamedTuple

from llm_gc.core import Conversation, Files
from llm_gc.errors import TemplateError
from llm_gc.language.pipeline import Pipeline
from llm_gc.model_checker.projection import unmarked
from llm_gc.model_checker.reply_classes import ANYBODYS, ReplyClasses
from llm_gc.model_checker.simulator import DrawnChoice, StateNode
from llm_gc.protocol import Ask, Failure, Reply, Speaker
from llm_gc.testing.scripted import read
from llm_gc.transcript.cases import Scripted

MOST_REPLIES = 60
"""A case with more replies is nothing to read any more."""

FEW = 12
"""So many speakers are told by name; of more, how many turns they took."""

SHORT = 60
"""A result that long is told as it is."""

MOST_SEEDS = 100_000
"""So many seeds are looked at for one that draws as wanted."""


class ScriptLine(NamedTuple):
    """One reply on a way: who was asked, and the class of the reply in words."""

    who: str
    reply: str


def retold(node: StateNode) -> list[ScriptLine]:
    """Return the replies on the way to a state, in order."""
    steps = pairwise(node.path())
    return [ScriptLine(_who(one), unmarked(two.way.name)) for one, two in steps if two.way and not one.broken]


def _who(node: StateNode) -> str:
    copy = f"#{node.speaker.copy + 1}" if node.speaker.copy else ""
    return f"{node.speaker.role}{copy}{' (choosing)' if node.is_pick else ''}"


class Scripts:
    """Makes cases of ways, each of which is played before it is given."""

    def __init__(self, pipeline: Pipeline, inputs: Mapping[str, Any], files: Files, replies: ReplyClasses) -> None:
        """Take what was explored."""
        self._pipeline, self._inputs, self._files, self._replies = pipeline, inputs, files, replies

    def case(self, name: str, node: StateNode, reason: str | None = None) -> dict[str, Any] | None:
        """Return a case that goes the way to a state, and on to an end in the plainest way.

        None where a test file cannot say it: with too many replies, with draws that no seed makes, or where it then
        does not end by ``reason``, since the end depends on how long the replies are.
        """
        seed = _seed([drawn for one in node.path() for drawn in one.drawn])
        if seed is None:
            return None
        conversation = self._begin(seed)
        told_: list[tuple[Speaker, Any]] = []
        for speaker, line in self._lines(conversation, node):
            told_.append((speaker, line))
            if len(told_) > MOST_REPLIES:
                return None
        outcome = conversation.outcome
        if outcome is None or (reason is not None and outcome.reason != reason):
            return None
        case: dict[str, Any] = {"name": name}
        if seed >= 0:
            case["set"] = {"seed": seed}
        case["replies"] = _by_speaker(told_)
        speakers = [turn.exchange.ask.speaker.role for turn in conversation.turns if not turn.is_pick]
        took = {"speakers": speakers} if len(speakers) <= FEW else {"turns": len(speakers)}
        ended: Any = outcome.reason
        if outcome.is_failed:
            ended = {"status": outcome.status, "reason": outcome.reason}
        case["expect"] = {**took, "ended": ended}
        if isinstance(outcome.result, str) and len(outcome.result) <= SHORT and outcome.status != "failed":
            case["expect"]["result"] = outcome.result
        return case

    def _begin(self, seed: int) -> Conversation:
        pipeline = self._pipeline if seed < 0 else self._pipeline.model_copy(update={"seed": seed})
        return Conversation(pipeline, self._inputs, self._files)

    def _lines(self, conversation: Conversation, node: StateNode) -> Iterator[tuple[Speaker, Any]]:
        """Play the replies as a test file has them, then in the plainest way, and return the lines."""
        ways = [one.way for one in node.path() if one.way is not None]
        number, last, newest = 0, dict[Speaker, Any](), None
        while conversation.outcome is None:
            ask = conversation.pending[0]
            try:
                _ = ask.request
            except TemplateError as error:
                conversation.answer(ask, Reply(failure=Failure("template", str(error))))
                return
            way = ways[number] if number < len(ways) else self._replies.to(ask, None)[0]
            speaker = conversation.speaker_of(ask)
            line = last[speaker] if way.line is None else _line(way.numbered(number + 1).line, ask)
            line = newest if way.line == ANYBODYS else line
            number, last[speaker], newest = number + 1, line, line
            yield speaker, line
            conversation.answer(ask, read(line if isinstance(line, str) else Scripted.model_validate(line), ask))


def _line(line: Any, ask: Ask) -> Any:
    """Return a line as an author would write it: whoever chooses is told the name alone."""
    if ask.is_pick and isinstance(line, dict) and isinstance(line.get("data"), dict):
        return line["data"]["next"]
    return line


def _by_speaker(lines: Sequence[tuple[Speaker, Any]]) -> dict[str, Any]:
    """Return each speaker's lines in order; the copies of a role have their own, where there are several."""
    copied = {speaker.role for speaker, _ in lines if speaker.copy}
    found: dict[str, list[Any]] = defaultdict(list)
    for speaker, line in lines:
        found[f"{speaker.role}#{speaker.copy + 1}" if speaker.role in copied else speaker.role].append(line)
    return {who: said[0] if all(one == said[0] for one in said) else said for who, said in found.items()}


def _seed(drawn: Sequence[DrawnChoice]) -> int | None:
    """Return a seed that draws these numbers; -1 where nothing was drawn, None where none was found."""
    if not drawn:
        return -1
    return next((seed for seed in range(MOST_SEEDS) if all(_draw(seed, one) == one.number for one in drawn)), None)


def _draw(seed: int, one: DrawnChoice) -> int:
    """Draw as a conversation does (``scope.draw``); each case is played, so that it would show if this were not so."""
    return int.from_bytes(sha256(f"{seed}:{one.place} draw".encode()).digest()) % one.count
