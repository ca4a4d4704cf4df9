"""The conversation itself: walks its steps, hands out what is to be asked, and is told what was answered.

The rules that it keeps:

- It never waits, looks at a clock or touches anything outside. The caller answers asks, in any order.
- An answer moves its own branch on, and only that one. What comes of the whole depends on the declared order of the
  branches and on the replies, never on the order in which they arrived.
- The asks that can be answered are those of the branches that wait for a reply, in declared order.
- What ends a branch (a stop token, a limit, an error) ends that branch; the block it is in folds the branches in
  declared order, and the first ending there continues outwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from llm_gc.core.outcome import Ending, Outcome, Turn
from llm_gc.core.run_context import Draw, Files, RunContext
from llm_gc.core.state import Branch, Usage, all_failed
from llm_gc.core.step_context import SceneFrame
from llm_gc.core.step_scope import StepScope
from llm_gc.core.trace import TraceEvent
from llm_gc.errors import TemplateError
from llm_gc.language.pipeline import Pipeline
from llm_gc.protocol import Ask, Flow, Fork, Message, Reply, Speaker
from llm_gc.templates.filters import decisions


@dataclass(eq=False)
class _Node:
    """A flow under way: it waits for a reply, or for the flows it is made of."""

    flow: Flow
    parent: _Node | None = None
    ask: Ask | None = None
    children: list[_Node] = field(default_factory=list)
    open: int = 0
    ending: Ending | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has reached its end."""
        return self.ask is None and not self.children

    def waiting(self) -> Iterator[_Node]:
        """Yield the nodes below that wait for a reply, in declared order."""
        if self.ask is not None:
            yield self
        for child in self.children:
            yield from child.waiting()

    def below(self) -> Iterator[_Node]:
        """Yield all nodes below, in declared order."""
        for child in self.children:
            yield child
            yield from child.below()


class Conversation:
    """A pure function of its pipeline, its inputs and the replies it is given, computed as they come."""

    def __init__(
        self,
        pipeline: Pipeline,
        inputs: Mapping[str, Any],
        files: Files | None = None,
        visit: Callable[[TraceEvent], object] | None = None,
        draw: Draw | None = None,
    ) -> None:
        """Begin, and go as far as can be gone without a reply.

        ``inputs`` are complete: checked, and with their defaults. ``files`` are the texts of the prompt files, and the
        pipelines that scenes play. ``visit`` is notified of every step, branch and stop that is reached, as it happens.
        ``draw`` draws in place of the seed: whoever looks at all that chance may bring tries every number.

        Raises:
            TemplateError: where a template over the inputs alone fails: a limit, a model's name.

        """
        stage = RunContext(pipeline, inputs, files or Files(), visit, draw)
        stops = tuple((("stop", index), stop) for index, stop in enumerate(pipeline.stop))
        opening = cache(lambda: stage.sent(("opening",), pipeline.opening or "", stage.inputs.__getitem__))
        self._start(StepScope(SceneFrame(stage, opening, stops), Branch([Usage.under(stage.bounds)])))

    def again(self) -> Conversation:
        """Return another one that begins again, over the same constants, which are not worked out once more."""
        return self._another(Branch([Usage.under(self.stage.bounds)]))

    def copy(self) -> Conversation:
        """Return another one that is where this one does: both continue, each for itself.

        It is begun at the newest mark, and what was answered since is answered once more: the visits since that mark
        are told again, and what was drawn is drawn again. Branches that are over are taken as they are, and their turns
        are in its log before those of the others.

        Raises:
            ValueError: where this one has ended.

        """
        if self._outcome is not None:
            raise ValueError("a conversation that has ended cannot be copied")
        branch, mark = Branch([]), self._branch.newest
        if mark is None:
            return self.again()
        mark.recall(branch, self._branch)
        branch.over = over = self._over()
        branch.asks = {ask.id: ask for ask in self.pending}
        another = self._another(branch, mark.words)
        done = {turn.exchange.ask.id for one, _ in over.values() for turn in one.turns}
        branch.log += [turn for turn in self.log[len(branch.log) :] if turn.exchange.ask.id in done]
        for side, id_, reply in self._since:
            if not (over and side.is_over):
                another._answer(id_, reply)  # noqa: SLF001  # one of its own kind
        return another

    def _over(self) -> dict[int, tuple[Branch, Ending | None]]:
        """Return the branches that are over of a block that continues, by their numbers, each with how it has ended."""
        forks = self._branch.inner
        if not forks or not forks[0].in_block:  # it is a scene
            return {}
        sides = enumerate(zip(forks, self._root.children, strict=True))
        return {number: (fork, node.ending) for number, (fork, node) in sides if node.is_over}

    def _another(self, branch: Branch, entry: tuple[str, ...] = ()) -> Conversation:
        another = Conversation.__new__(Conversation)
        another._start(StepScope(self._scope.setting, branch, entry=entry))  # noqa: SLF001  # one of its own kind
        return another

    def _start(self, scope: StepScope) -> None:
        self.stage, self._scope, self._branch = scope.stage, scope, scope.branch
        self._root = _Node(self.begin(scope))
        self._waiting: dict[str, _Node] = {}
        self._new: list[Ask] = []
        self._since: list[tuple[_Node, str, Reply]] = []
        self._outcome: Outcome | None = None
        self._advance(self._root, None)

    def begin(self, scope: StepScope) -> Flow:
        """Return the flow of the whole conversation."""
        yield from scope.run("turns", self.stage.pipeline.turns)

    @property
    def pending(self) -> tuple[Ask, ...]:
        """The asks that can be answered now, in declared order."""
        return tuple(node.ask for node in self._root.waiting() if node.ask is not None)

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; none until it has."""
        return self._outcome

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns so far, in declared order; those of a block that still continues come last, without a number."""
        return tuple(self._all_turns())

    @property
    def log(self) -> Sequence[Turn]:
        """The turns so far in the order in which they were settled, those of unfinished branches too."""
        return self._branch.log

    def speaker_of(self, ask: Ask) -> Speaker:
        """Return who speaks in a pending ask, and which copy of the role that will be after the blocks around it.

        That holds as long as nobody speaks in a branch before that of the ask: where the first pending one is always
        answered.
        """
        named = self._branch.named(ask)
        if named is not None:
            return named[-1]
        role, outside = ask.speaker.role, self._branch.outside
        asks = [turn.exchange.ask for turn in self._all_turns() if turn.is_open and turn.depth > outside]
        branches = dict.fromkeys(one.branch for one in (*asks, ask) if one.speaker.role == role)
        return Speaker(role, list(branches).index(ask.branch))

    @property
    def messages(self) -> tuple[Message, ...]:
        """What was said in turns so far, in declared order."""
        return tuple(turn.message for turn in self._all_turns() if not turn.is_pick)

    @property
    def variables(self) -> Mapping[str, Any]:
        """What ``set``, ``as`` and loops have named so far, outside scenes and branches."""
        return self._branch.names

    @property
    def branch(self) -> Branch:
        """What it remembers, for whoever looks at less of it than the state; nobody else may change it."""
        return self._branch

    @property
    def flow_endings(self) -> tuple[Ending | None, ...]:
        """How the flows of the blocks under way have ended, in declared order; None for those that have not."""
        return tuple(node.ending for node in self._root.below())

    @property
    def flows_over(self) -> tuple[bool, ...]:
        """Whether each flow of the blocks under way has reached its end, in the same order."""
        return tuple(node.is_over for node in self._root.below())

    @property
    def state(self) -> tuple[Any, ...]:
        """All that what comes next depends on, besides the replies: a value to compare, to hash and to store.

        Two conversations over one pipeline and the same inputs that are in the same state ask the same from there on,
        and end alike, if they are answered alike; it takes time linear in what was said.
        """
        endings = tuple(ending and ending.why for ending in self.flow_endings)
        return (tuple(ask.id for ask in self.pending), *self._branch.state, endings, self._outcome)

    def answer(self, ask: Ask, reply: Reply) -> tuple[Ask, ...]:
        """Answer an ask; return the asks that can be answered because of it.

        Raises:
            ValueError: where that ask does not wait for an answer.

        """
        if ask.id not in self._waiting:
            raise ValueError(f"nothing waits for an answer to {ask.id!r}")
        self._answer(ask.id, reply)
        return tuple(self._new)

    def _answer(self, id_: str, reply: Reply) -> None:
        node, mark = self._waiting.pop(id_), self._branch.newest
        node.ask = None
        self._new = []
        self._since.append((self._side(node), id_, reply))
        self._advance(node, reply)
        if self._branch.newest is not mark:
            self._since = []

    def _side(self, node: _Node) -> _Node:
        """Return the branch of the outermost block in which a node is; the root outside."""
        while node.parent is not None and node.parent is not self._root:
            node = node.parent
        return node

    def interrupt(self, detail: str) -> None:
        """End it here, because somebody wants it to end; whatever waits for a reply is given up."""
        if self._outcome is None:
            self._finish(Ending("interrupted", detail))

    def _advance(self, node: _Node, value: Any) -> None:
        """Move a node on, and those around it whose turn comes through that."""
        while True:
            step = self._send(node, value)
            if isinstance(step, Ask):
                if step.id in self._waiting:
                    raise AssertionError(f"two asks have the id {step.id!r}")
                node.ask, self._waiting[step.id] = step, node
                self._new.append(step)
                return
            if isinstance(step, Fork):
                node.children = [_Node(flow, node) for flow in step.flows]
                node.open = len(node.children) + 1  # one more, so that no child can end the block while it begins
                for child in node.children:
                    self._advance(child, None)
                node.open -= 1
                if node.open:
                    return
                value = self._endings(node)
                continue
            if node.parent is None:
                self._finish(node.ending)
                return
            node.parent.open -= 1
            if node.parent.open:
                return
            node = node.parent
            value = self._endings(node)

    def _send(self, node: _Node, value: Any) -> Ask | Fork | None:
        """Send a value into a flow; None when it has reached its end."""
        try:
            return node.flow.send(value)
        except StopIteration:
            pass
        except Ending as ending:
            node.ending = ending
        except TemplateError as error:
            node.ending = Ending("error", str(error), "template")
        return None

    @staticmethod
    def _endings(node: _Node) -> tuple[Ending | None, ...]:
        endings = tuple(child.ending for child in node.children)
        node.children = []
        return endings

    def _finish(self, ending: Ending | None) -> None:
        self._root.flow.close()
        self._waiting.clear()
        self._root.ask, self._root.children = None, []
        ending = self._judged(ending or Ending("turns_done", "every turn was taken"))
        detail = ""
        try:
            with decisions() as decided:
                result = self._result()
            if decided:
                detail = f"; the result is a majority of {' and '.join(map(str, decided))}"
        except TemplateError as error:
            result = self._last_heard()
            if ending.reason == "turns_done" and not ending.is_failed:  # else a name of it may well be unset
                ending = Ending("error", str(error.within(self.stage.pipeline.name)), "template")
            else:
                self._scope.visit("stood_in", str(error))
        self._outcome = Outcome(ending.reason, ending.detail + detail, result, ending.failure, ending.is_failed)

    def _judged(self, ending: Ending) -> Ending:
        """Return the ending as one of a conversation that has failed, where no turn succeeded."""
        turns = [turn for turn in self._all_turns() if not turn.is_pick]
        failure = all_failed(turns)
        if failure is None or ending.reason in ("error", "interrupted"):
            return ending
        detail = ending.detail
        if detail != failure.message:
            detail += f"; no turn succeeded, the last one: {failure.message}"
        return Ending(ending.reason, detail, failure.kind, is_failed=True)

    def _all_turns(self) -> Iterator[Turn]:
        def open_turns(branch: Branch) -> Iterator[Turn]:
            for inner in branch.inner:
                if inner.turns is not branch.turns:
                    yield from inner.turns
                yield from open_turns(inner)

        yield from self._branch.turns
        yield from open_turns(self._branch)

    def _result(self) -> Any:
        if self.stage.pipeline.result is None:
            return self._last_heard()
        result = self._scope.render("result", self.stage.pipeline.result)
        return result.content if isinstance(result, Message) else result

    def _last_heard(self) -> str:
        heard = self._branch.history.last_heard
        return "" if heard is None else heard.message.content
