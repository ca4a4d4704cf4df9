"""What an exploration has seen: endings, what was come to, failures, sizes; each with the shortest way to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from llm_gc.conversation import Outcome, Visit
from llm_gc.conversation.context import reserve
from llm_gc.drivers.explore.projection import unmarked
from llm_gc.drivers.explore.walks import Node
from llm_gc.drivers.explore.windows import Windows
from llm_gc.protocol import Ask, Path
from llm_gc.tokens import as_tokens


@dataclass
class End:
    """One way to end. ``at`` is the shortest way there; ``turns`` are the fewest and the most turns.

    ``silent`` are the roles that have not spoken by then, on the way on which they are most; ``stood_in`` tells why the
    result could not be rendered on some way, so that the last message stood in; ``empty_at`` is a way on which it
    is empty.
    """

    reason: str
    detail: str
    status: str
    failure: str | None
    at: Node
    turns: tuple[int, int]
    silent: tuple[str, ...] = ()
    silent_at: Node | None = None
    stood_in: str = ""
    stood_in_at: Node | None = None
    empty_at: Node | None = None
    times: int = 0


@dataclass
class Fault:
    """Something that goes wrong on a way."""

    kind: str
    what: str
    at: Node


@dataclass
class Prompt:
    """The largest prompt of a role, in tokens as they are guessed from characters.

    ``over`` is the first one that leaves no room for the reply in its context window: its size, the window, and where
    it is sent.
    """

    tokens: int
    window: int | None
    most: int
    at: Node
    over: tuple[int, int, Node] | None = None


@dataclass
class Seen:
    """All of it. The first ones that are told are kept: whoever goes breadth-first tells the shortest ways first."""

    windows: Windows
    visits: dict[Visit, Node] = field(default_factory=dict)
    ends: dict[tuple[str, ...], End] = field(default_factory=dict)
    order: list[End] = field(default_factory=list)
    faults: dict[tuple[str, str], Fault] = field(default_factory=dict)
    prompts: dict[str, Prompt] = field(default_factory=dict)
    anew: dict[tuple[str, Path], Node] = field(default_factory=dict)

    def visited(self, visits: Iterable[Visit], at: Node) -> None:
        """Take what was come to."""
        for visit in visits:
            value = visit.value if isinstance(visit.value, (str, bool, type(None))) else str(visit.value)
            self.visits.setdefault(Visit(visit.kind, visit.path, value), at)

    def fault(self, kind: str, what: str, at: Node) -> None:
        """Take something that went wrong."""
        what = unmarked(what)
        self.faults.setdefault((kind, what), Fault(kind, what, at))

    def ended(self, outcome: Outcome, turns: int, silent: tuple[str, ...], place: str, at: Node) -> int:
        """Take an ending; give its number."""
        key = (outcome.reason, outcome.failure or "", place)
        if key not in self.ends:
            self.ends[key] = End(
                outcome.reason, unmarked(outcome.detail), outcome.status, outcome.failure, at, (turns, turns)
            )
            self.order.append(self.ends[key])
        end = self.ends[key]
        end.times += 1
        end.turns = (min(end.turns[0], turns), max(end.turns[1], turns))
        if len(silent) > len(end.silent):
            end.silent, end.silent_at = silent, at
        if end.empty_at is None and (outcome.result is None or not str(outcome.result).strip()):
            end.empty_at = at
        if outcome.failure == "template":
            self.fault("template", outcome.detail, at)
        return self.order.index(end)

    def stood_in(self, number: int, why: str, at: Node) -> None:
        """Take that the result of an ending could not be rendered."""
        end = self.order[number]
        if end.stood_in_at is None:
            end.stood_in, end.stood_in_at = unmarked(why), at

    def asked(self, ask: Ask, parts: tuple[int, ...], size: int, at: Node) -> None:
        """Take a request of ``size`` characters: how large it is, and whether it extends its speaker's last one."""
        tokens, window = as_tokens(size), self.windows.of(ask)
        role, most = ask.speaker.role, int(ask.options["num_predict"])
        prompt = self.prompts.setdefault(role, Prompt(tokens, window, most, at))
        if tokens > prompt.tokens:
            prompt.tokens, prompt.window, prompt.most, prompt.at = tokens, window, most, at
        if prompt.over is None and window is not None and tokens + reserve(ask.options, window) > window:
            prompt.over = (tokens, window, at)
        before = at.parent
        while before is not None:
            if before.speaker == at.speaker and before.sent is not None and before.attempt == 1:
                if parts[: len(before.sent)] != before.sent:
                    self.anew.setdefault((ask.speaker.role, ask.step), at)
                return
            before = before.parent
