"""The search: breadth-first over the states of a conversation, each visited once."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from llm_gc.core import Conversation, Files
from llm_gc.errors import TemplateError
from llm_gc.language.limits import Limits, Repetition
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.texts import models
from llm_gc.model_checker.condition_vars import all_words
from llm_gc.model_checker.conditions import Conditions
from llm_gc.model_checker.liveness import Liveness
from llm_gc.model_checker.observations import Observations, Windows, windowless, windowless_files
from llm_gc.model_checker.pipelines import pipeline_parts
from llm_gc.model_checker.reply_classes import Matters, ReplyClasses, Way
from llm_gc.model_checker.simulator import Simulator, StateNode
from llm_gc.model_checker.state_key import StateKey, States
from llm_gc.protocol import Ask, Failure, Reply


class Loops:
    """The kinds of states (states that differ in what was counted are of one kind), and what leads from one to another.

    Each lead is known by the number of the reply, among those that are tried at that kind.
    """

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._leads: dict[int, dict[int, int]] = defaultdict(dict)
        self._after: dict[int, set[int]] = defaultdict(set)
        self._back: dict[int, tuple[int, ...]] = {}

    def goes(self, kind: int, reply: int, to: int) -> None:
        """Take that a reply leads from one kind to another."""
        self._leads[kind].setdefault(reply, to)
        self._after[kind].add(to)

    def back(self, kind: int) -> tuple[int, ...]:
        """Return the replies that lead back to a kind, as far as is known when this is first asked."""
        if kind not in self._back:
            leads = self._leads[kind].items()
            self._back[kind] = tuple([reply for reply, to in leads if kind in reached({to}, self._after)])
        return self._back[kind]


def reached(start: set[int], edges: Mapping[int, set[int]]) -> set[int]:
    """Return all that can be reached from somewhere, the start too."""
    known, new = set(start), list(start)
    while new:
        found = edges.get(new.pop(), set()) - known
        known |= found
        new += found
    return known


MAX_STATES = 20_000
FEW = 500
"""So many states are continued from in all ways, whatever they differ in."""

FULL = 2
"""So often, beyond them, states that differ only in what was counted are continued from in all ways."""

CLOSE = 4
"""So few turns before a limit are close to it: all who speak in a loop are to reach it."""

KEPT = 256
"""So many conversations are kept as they are, to be resumed."""

TOLD_EVERY = 50
"""States between two words on how far it is."""

Progress = Callable[[int, int], object]


@dataclass
class Exploration:
    """What came of it: the states, their endings and faults, and whether that is all there is.

    ``generated`` counts every state that was reached, known ones too. ``standing`` tells for each state what it is
    but for counters; ``full`` are the states that were continued from in all ways.
    """

    seen: Observations
    nodes: list[StateNode]
    standing: list[int]
    full: set[int]
    generated: int
    is_whole: bool
    replies: ReplyClasses
    conditions: Conditions

    @property
    def is_full(self) -> bool:
        """Whether no state was continued from in one way only."""
        return all(node.number in self.full or node.broken or not node.next for node in self.nodes)


class Search:
    """Explores one pipeline with given inputs."""

    def __init__(
        self,
        pipeline: Pipeline,
        inputs: Mapping[str, Any],
        files: Files,
        *,
        max_states: int = MAX_STATES,
        progress: Progress | None = None,
        states: type[States] = States,
    ) -> None:
        """Work out what is read where, and which replies there may be.

        ``states`` says which states are the same.
        """
        self._pipeline, self._max, self._progress = pipeline, max_states, progress
        liveness = Liveness(pipeline, files)
        self.conditions = Conditions(pipeline_parts(pipeline, files), liveness.deciding, inputs)
        limits = [model for one in (pipeline, *_inner(files)) for _, model in models(one) if isinstance(model, Limits)]
        echoes = any(limit.repetition is not None for limit in limits)
        seconds = any(limit.max_time is not None for limit in limits)
        tokens = any(limit.max_total_tokens is not None for limit in limits)
        self._states = states(pipeline, files, liveness, costs=seconds or tokens, echoes=echoes)
        across = any(isinstance(limit.repetition, Repetition) and limit.repetition.across for limit in limits)
        matters = Matters(tokens, seconds, echoes or self.conditions.compares, across)
        self._replies = ReplyClasses(pipeline, files, self.conditions, all_words(pipeline, files), matters)
        self._walker = Simulator(windowless(pipeline), inputs, windowless_files(files))
        self._seen = Observations(Windows(pipeline, inputs, files))
        self._nodes: list[StateNode] = []
        self._known: dict[StateKey, StateNode] = {}
        self._kinds: dict[Hashable, int] = {}
        self._standing: list[int] = []
        self._often: Counter[int] = Counter()
        self._loops = Loops()
        self._full: set[int] = set()
        self._alive: dict[int, Conversation] = {}
        self._frontier: deque[StateNode] = deque()
        self._left: dict[int, int] = {}
        self._generated = 0

    def run(self) -> Exploration:
        """Explore.

        Raises:
            TemplateError: where a template over the inputs alone fails.

        """
        self._arrive(self._walker.begin(), None, None)
        for script in list(self._walker.others()):
            self._arrive(self._walker.begin(script), None, None)
        for number in count(1):
            if not self._frontier or len(self._nodes) >= self._max:
                break
            self._go_on(self._frontier.popleft())
            if self._progress is not None and number % TOLD_EVERY == 0:
                self._progress(len(self._nodes), len(self._frontier))
        whole = not self._frontier
        seen, replies = self._seen, self._replies
        return Exploration(
            seen, self._nodes, self._standing, self._full, self._generated, whole, replies, self.conditions
        )

    def _go_on(self, node: StateNode) -> None:
        """Answer the ask that is pending at a state in all ways that are worth it."""
        conversation = self._alive.pop(node.number, None) or self._walker.to(node)
        ask = conversation.pending[0]
        ways = self._ways(node, conversation, ask)
        left: list[tuple[int, tuple[int, ...]]] = [(index, ()) for index in range(len(ways))]
        while left:
            index, script = left.pop(0)
            way = self._replies.numbered(ways[index], node.depth + 1)
            another = self._walker.copy(conversation, node) if left else None
            self._walker.answer(conversation, ask, way, script)
            left = [(index, other) for other in self._walker.others()] + left
            number = self._arrive(conversation, node, way)
            if number >= 0:
                self._loops.goes(self._standing[node.number], index, self._standing[number])
            if left:
                conversation = another or self._walker.to(node)

    def _ways(self, node: StateNode, conversation: Conversation, ask: Ask) -> tuple[Way, ...]:
        """Return the replies that are tried at a state."""
        if node.broken:
            return (Way("the request cannot be rendered", Reply(failure=Failure("template", node.broken)), None),)
        said = (turn.message.content for turn in reversed(conversation.log) if turn.message.role == ask.speaker.role)
        newest = next((turn.message.content for turn in reversed(conversation.log) if not turn.is_pick), None)
        ways = self._replies.to(ask, next((content for content in said if content), None), newest)
        kind = self._standing[node.number]
        if node.number >= FEW and self._often[kind] >= FULL and self._left[node.number] > CLOSE:
            back = [index for index in self._loops.back(kind) if ways[index].succeeds]
            if back:  # one after the other, so that everybody has a turn again and again
                return (ways[back[self._left[node.number] % len(back)]],)
        self._often[kind] += 1
        self._full.add(node.number)
        return ways

    def _arrive(self, conversation: Conversation, parent: StateNode | None, way: Way | None) -> int:
        """Take where a conversation has reached; return the state's number, below 0 that of an ending."""
        self._generated += 1
        drawn, size = tuple(self._walker.drawn), (parent.size if parent else 0) + (len(way.reply.content) if way else 0)
        node = StateNode(len(self._nodes), parent, way, drawn, parent.depth + 1 if parent else 0, size)
        self._seen.visited(self._walker.visits, node)
        if conversation.outcome is not None:
            number = -1 - self._end(conversation, node)
        else:
            number = self._stand(conversation, node)
        if parent is not None:
            parent.next.append(number)
        return number

    def _stand(self, conversation: Conversation, node: StateNode) -> int:
        """Take a state; one that is known is left, unless more was said on the new way, which is as long."""
        key = self._states.key(conversation)
        known = self._known.get(key)
        if known is not None:
            if node.size > known.size and node.depth == known.depth and not known.next:
                known.parent, known.way, known.drawn, known.size = node.parent, node.way, node.drawn, node.size
                self._ask(conversation, known)
                self._keep(conversation, known)
            return known.number
        self._known[key] = node
        self._nodes.append(node)
        self._standing.append(self._kinds.setdefault(key.standing, len(self._kinds)))
        self._left[node.number] = self._states.turns_left(conversation)
        self._ask(conversation, node)
        self._frontier.append(node)
        self._keep(conversation, node)
        return node.number

    def _keep(self, conversation: Conversation, node: StateNode) -> None:
        """Keep a conversation that has come to a state by the way of its node, while there are not too many."""
        if len(self._alive) < KEPT or node.number in self._alive:
            self._alive[node.number] = conversation

    def _ask(self, conversation: Conversation, node: StateNode) -> None:
        """Render the pending request, once for each state."""
        ask = conversation.pending[0]
        node.wait(ask, conversation.speaker_of(ask))
        try:
            parts = ask.request.parts
        except TemplateError as error:
            node.broken = str(error)
            return
        node.sent = tuple([hash(part) for part in parts])
        self._seen.asked(ask, node.sent, sum([len(part.text) for part in parts]), node)

    def _end(self, conversation: Conversation, node: StateNode) -> int:
        """Take an ending; a stop and an ``end`` are told apart by their places, a stop by who said it too."""
        outcome, visits = conversation.outcome, self._walker.visits
        assert outcome is not None  # noqa: S101  # it was looked at before
        turns = [turn.exchange.ask.speaker.role for turn in conversation.log if not turn.is_pick]
        silent = tuple(role for role in self._pipeline.roles if role not in turns)
        places = [str(visit.path) for visit in visits if visit.kind in ("step", "stop")]
        place = places[-1] if places and outcome.reason in ("end_step", "stop_token") else ""
        if outcome.reason == "stop_token":
            place += turns[-1]
        number = self._seen.ended(outcome, len(turns), silent, place, node)
        for visit in visits:
            if visit.kind == "stood_in" and visit.path == ():
                self._seen.stood_in(number, str(visit.value), node)
        return number


def _inner(files: Files) -> list[Pipeline]:
    return [one for scene, inner in files.scenes.values() for one in (scene, *_inner(inner))]
