"""What a step reads of the conversation it is in: values of templates, who speaks, what is heard, limits.

``StepScope`` in ``step_scope.py`` is a ``StepContext`` that can also run steps, fork and play scenes. Turns and asks
need only what is here, so they do not depend on how steps are run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from llm_gc.core.copies import NARRATOR
from llm_gc.core.history import SpokenEntry
from llm_gc.core.outcome import Ending
from llm_gc.core.run_context import RunContext, whole_number
from llm_gc.core.state import Branch
from llm_gc.core.template_context import Snapshot
from llm_gc.core.trace import TraceEvent, TraceKind
from llm_gc.errors import TemplateError
from llm_gc.language.fields import Stop
from llm_gc.language.labels import Labels, key, labels_of
from llm_gc.protocol import (
    Ask,
    Effect,
    Message,
    Path,
    Reply,
    Speaker,
)
from llm_gc.values.frozen import FrozenList, as_text, freeze

MAX_STEPS = 10_000
"""So many steps without an ask are an error, not a hang."""


@dataclass(frozen=True)
class SceneFrame:
    """What a scene adds to its stage: what everybody in it reads first, and what ends it (with its place)."""

    stage: RunContext
    opening: Callable[[], str]
    stops: tuple[tuple[Path, Stop], ...]


class StepContext(NamedTuple):
    """Where a step is, and what it can read and set there.

    ``place`` is the path with the rounds in it, the front of every ask's id. ``entry`` is the way to the step inside
    this one at which the conversation is begun in the middle (see ``Checkpoint``), where it is under way.
    """

    setting: SceneFrame
    branch: Branch
    path: Path = ()
    place: str = ""
    round: int | None = None
    mark: str = ""
    entry: tuple[str, ...] = ()

    @property
    def stage(self) -> RunContext:
        """What stays the same."""
        return self.setting.stage

    @property
    def _entered(self) -> int:
        """The round in which a loop is entered that is under way; 0 where it begins with its first."""
        return int(self.entry[0].partition(":")[2]) if self.entry else 0

    @property
    def _is_entered(self) -> bool:
        """Whether the conversation is begun in the middle, at a step inside this one that was not reached yet."""
        return bool(self.entry) and self.branch.newest is None

    def _kept(self, key: str) -> Any:
        """Return what a loop goes by that is entered in the middle; None elsewhere."""
        return self.branch.memory.get(f"{self.place} {key}") if self._is_entered else None

    def _refuse_anew(self) -> None:
        """Refuse what would be done a second time where a conversation is begun in the middle."""
        if self._is_entered:
            raise AssertionError(f"{self.place} is under way, and does anew what comes before its steps; see Step.run")

    def visit(self, kind: TraceKind, value: Any = None, path: Path | None = None) -> None:
        """Notify the observer, if there is one, of what was reached here or at ``path``."""
        if self.stage.visit is not None:
            self.stage.visit(TraceEvent(kind, self.path if path is None else path, value))

    def moment(self, role: str | None = None) -> Snapshot:
        """Return what templates can see now."""
        self._refuse_anew()
        branch = self.branch
        turn = None if branch.in_block else branch.tallies[0].turns + 1
        return Snapshot(self.stage, branch.names, branch.history, len(branch.history), self.round, turn, role)

    def evaluate(self, key: str, expression: Any) -> Any:
        """Evaluate an expression in the current state; what is not text stands for itself."""
        if not isinstance(expression, str):
            return freeze(expression)
        value = self.stage.evaluate(self._at_key(key), expression, self.moment().lookup)
        if key in ("when", "until"):
            self.visit(cast(TraceKind, key), bool(value))
        return value

    def render(self, key: str, template: Any) -> Any:
        """Render a template in the current state."""
        value = self.stage.render(self._at_key(key), template, self.moment().lookup)
        if key == "by":
            self.visit("by", value)
        return value

    def number(self, key: str, template: Any) -> int:
        """Render a template that must give a whole number, at least 0."""
        if (kept := self._kept(key)) is not None:
            return int(kept[0])
        if isinstance(template, str) and (settled := self.stage.settled(template, self.branch.names)) is not None:
            template = settled
        return whole_number(self.render(key, template), self._at_key(key))

    def items(self, key: str, expression: Any) -> FrozenList:
        """Evaluate an expression that must give a list; none is an empty one."""
        kept = self._kept(key)
        return self._list(key, self.evaluate(key, expression) if kept is None else kept)

    def listed(self, key: str, template: str) -> FrozenList:
        """Render a template that must give a list; none is an empty one."""
        return self._list(key, self.render(key, template))

    def _list(self, key: str, value: Any) -> FrozenList:
        if value is None:
            return FrozenList()
        if not isinstance(value, FrozenList):
            raise TemplateError(f"this gives {value!r}, and a list was expected", path=self._at_key(key))
        return value

    def set(self, name: str, value: Any) -> None:
        """Set a variable."""
        self._refuse_anew()
        self.branch.name(name, value)

    def draw(self, count: int) -> int:
        """Draw a number from the conversation's seed and this place."""
        if self.stage.draw is not None:
            return self.stage.draw(self.place, count)
        digest = hashlib.sha256(f"{self.stage.seed}:{self.place} draw".encode()).digest()
        return int.from_bytes(digest) % count

    def marked(self, text: str, own: Iterable[str], words: Callable[[], str] | None = None) -> str:
        """Return what somebody with these labels says, its lines marked that begin like another participant's label."""
        return self.labels.marked(text, {key(label) for label in own}, words)

    @property
    def labels(self) -> Labels:
        """The labels of all who take part in this scene."""
        return labels_of(self.stage.participants | self.branch.history.labels())

    def ask(self, ask: Ask) -> Generator[Effect, Any, Reply]:
        """Yield an ask and return its reply, counted."""
        self.branch.idle = 0
        reply: Reply = yield ask
        for tally in self.branch.tallies:
            tally.tokens += reply.tokens.total + sum(attempt.tokens.total for attempt in reply.attempts)
            tally.seconds += reply.seconds
        return reply

    def check_limits(self) -> None:
        """End the scene, or one around it, where a limit is reached and something more is due."""
        for level, tally in enumerate(self.branch.tallies):
            tally.check(level)

    def speaker(self, role: str) -> Speaker:
        """Return who speaks when this branch lets a role speak."""
        return self.branch.line.speaker(role)

    def previous(self) -> str | None:
        """Return the role that spoke last in this scene, failed or not."""
        self._refuse_anew()
        said = self.branch.history.said(len(self.branch.history))
        return next((entry.speaker.role for entry in said if entry.speaker.role in self.stage.roles), None)

    def roles(self) -> Sequence[str]:
        """Return all roles."""
        return list(self.stage.roles)

    def post(self, key: str, template: str) -> None:
        """Render a text, and add it as a message of the narrator that everybody hears."""
        lookup = self.moment().lookup
        text = as_text(self.stage.render(self._at_key(key), template, lookup))
        if text.strip():
            label, history = NARRATOR.capitalize(), self.branch.history
            heard, authored = self.marked(text, [label], history.words), self.stage.authored(template, lookup, text)
            message = Message(NARRATOR, label, text, heard=heard)
            history.add(SpokenEntry(Speaker(NARRATOR), message, heard, authored=authored))

    def end(self, detail: str, *, failed: bool) -> None:
        """End the scene."""
        raise Ending("end_step", detail, is_failed=failed)

    def _at_key(self, key: str) -> Path:
        return (*self.path, *key.split("."))

    def _count_step(self) -> None:
        self.branch.idle += 1
        if self.branch.idle > MAX_STEPS:
            words = f"{MAX_STEPS:,} steps were taken here and nobody was asked; the loop has no end"
            raise TemplateError(words, path=self.path)
