"""Plans a conversation turn by turn, with placeholders for the replies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from llm_gc.backends.sampling import sample
from llm_gc.core import Conversation, TraceEvent
from llm_gc.core.context_window import likely
from llm_gc.core.run_context import ResolvedLimits
from llm_gc.core.structured import parse
from llm_gc.errors import TemplateError
from llm_gc.planning.assumptions import Assumption, Decisions
from llm_gc.project import Loaded
from llm_gc.protocol import Ask, Failure, Part, Reply
from llm_gc.values.safe_text import mask

_MARK = re.compile(r"⟨[^⟨⟩]*: up to ([0-9,]+) tokens⟩")
_LABEL = re.compile(r"\A(?:[^⟨:]*: )?")
_TRIES = 20


def placeholder(ask: Ask, number: int, chance: str) -> Reply:
    """Return what stands in for the reply to ``ask``, the plan's turn of this ``number``; structures by ``chance``."""
    if ask.format is None:
        return Reply(_mark(ask, number), done_reason="stop")
    tries = (sample(ask.format, Random(f"{chance}{ask.id}{n}"), daring=n > 1) for n in range(_TRIES))
    made = next((data for data in tries if _fits(data, ask.format)), None)
    return Reply(_dumped(_marked(made, made, (), ask, number)), done_reason="stop")


def tokens(parts: tuple[Part, ...], caps: Mapping[str | None, int]) -> int:
    """Estimate the tokens of a request at most; ``caps`` are those of the replies that it repeats, by the ask's id."""
    known, told = 0, list[Part]()
    for part in parts:
        if part.of in caps:
            known += caps[part.of]
            told.append(part._replace(text=_LABEL.match(part.text)[0] if part.kind == "user" else ""))  # type: ignore[index]
        else:
            known += sum(int(found.replace(",", "")) for found in _MARK.findall(part.text))
            told.append(part._replace(text=_MARK.sub("", part.text)))
    return known + likely(tuple(told), None)


def _mark(ask: Ask, number: int, name: str = "") -> str:
    whose = f"{ask.label}, turn {number}{f', {name}' if name else ''}"
    if ask.casting.human:
        return f"⟨{whose}: what a person says⟩"
    return f"⟨{whose}: up to {ask.options['num_predict']:,} tokens⟩"


def _marked(whole: Any, value: Any, path: tuple[Any, ...], ask: Ask, number: int) -> Any:
    """Put a mark in the place of each text in data where its schema takes any text."""
    if isinstance(value, str):
        mark = _mark(ask, number, ".".join(str(step) for step in path if isinstance(step, str)))
        return mark if _fits(_with(whole, path, mark), ask.format) else value
    if isinstance(value, dict):
        return {key: _marked(whole, inner, (*path, key), ask, number) for key, inner in value.items()}
    if isinstance(value, list):
        return [_marked(whole, inner, (*path, index), ask, number) for index, inner in enumerate(value)]
    return value


def _with(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return data with another value at a path."""
    if not path:
        return value
    copy = data.copy()
    copy[path[0]] = _with(data[path[0]], path[1:], value)
    return copy


def _fits(data: Any, schema: Any) -> bool:
    return parse(_dumped(data), schema)[1] is None


def _dumped(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False)


MOST_ASKS = 1_000
"""A loop without an end of its own would be planned for ever."""

TRIES = 8
"""So many times structured replies are made up; the longest conversation that they give is the plan."""


@dataclass(frozen=True)
class PlannedTurn:
    """A turn as it will be asked. A pick has the ``number`` of the turn that it is for.

    ``prompt`` and ``reply`` are tokens at most, ``window`` those of the context window where it is declared.
    ``messages`` are what is sent, ``trouble`` why that cannot be told. ``stops`` are the tokens that end the
    conversation when this turn says them; ``assumptions`` what had to be assumed since the turn before.
    """

    number: int
    role: str
    label: str
    model: str | None
    host: str | None
    place: str
    is_pick: bool
    is_switch: bool
    prompt: int
    reply: int
    window: int | None
    stops: tuple[str, ...]
    assumptions: tuple[Assumption, ...]
    messages: tuple[Mapping[str, str], ...] = ()
    trouble: str = ""


@dataclass(frozen=True)
class Plan:
    """The turns in order, what was assumed behind the last one, and how it ends.

    ``stops`` are further ends that may come after any turn, ``limits`` those that may come by what the replies cost.
    ``is_cut`` tells that the plan was given up where the conversation continues, ``is_failed`` that it has then failed
    by its author's word.
    """

    turns: tuple[PlannedTurn, ...]
    reason: str
    detail: str
    assumptions: tuple[Assumption, ...] = ()
    stops: tuple[Assumption, ...] = ()
    limits: tuple[str, ...] = ()
    is_cut: bool = False
    is_failed: bool = False

    @property
    def spoken(self) -> int:
        """How many turns it has, picks not counted."""
        return sum(not turn.is_pick for turn in self.turns)

    @property
    def switches(self) -> int:
        """How often another model than before is asked."""
        return sum(turn.is_switch for turn in self.turns)


def plan(loaded: Loaded, inputs: Mapping[str, Any], *, is_seeded: bool = True) -> Plan:
    """Plan a conversation. Where it is not ``is_seeded``, nobody knows what chance will draw.

    Raises:
        TemplateError: where a template over the inputs alone fails.

    """
    decisions = Decisions(loaded, is_seeded=is_seeded)
    best = _Planning(decisions, inputs, "").go()
    if best.is_made_up:
        others = (_Planning(decisions, inputs, f"{number} ").go() for number in range(1, TRIES))
        best = max([best, *others], key=lambda one: len(one.turns))
    return best.plan


@dataclass
class _Planning:
    """One course through a conversation, made up by ``chance`` where replies have a structure."""

    decisions: Decisions
    inputs: Mapping[str, Any]
    chance: str
    turns: list[PlannedTurn] = field(default_factory=list)
    is_made_up: bool = False

    def go(self) -> _Planning:
        self._assumed: list[Assumption] = []
        self._told: dict[str, str] = {}
        self._caps: dict[str | None, int] = {}
        self._model: tuple[str | None, str | None, str] | None = None
        conversation = Conversation(self.decisions.pipeline, self.inputs, self.decisions.files, self._visit)
        while conversation.outcome is None and len(self.turns) < MOST_ASKS:
            ask = conversation.pending[0]
            conversation.answer(ask, self._turn(ask, conversation.speaker_of(ask).copy))
        outcome = conversation.outcome
        self.plan = Plan(
            turns=tuple(self.turns),
            reason="" if outcome is None else outcome.reason,
            detail="" if outcome is None else outcome.detail,
            assumptions=tuple(self._assumed),
            stops=tuple(self.decisions.stops),
            limits=tuple(self._limits(conversation.stage.bounds)),
            is_cut=outcome is None,
            is_failed=outcome is not None and outcome.is_failed,
        )
        return self

    def _limits(self, bounds: ResolvedLimits) -> Iterator[str]:
        """Return which limits may end it sooner."""
        spent, most = 0, bounds.max_total_tokens
        for turn in self.turns if most is not None else ():
            spent += turn.prompt + turn.reply
            if spent >= (most or 0):
                yield f"max_total_tokens, {most:,}, may be used up by turn {turn.number}"
                break
        if bounds.max_time is not None:
            yield f"max_time, {bounds.max_time:g}s, may be over before that"

    def _turn(self, ask: Ask, copy: int) -> Reply:
        """Plan a turn by a copy of a role, and return what stands in for its reply."""
        messages, prompt, trouble = tuple[Mapping[str, str], ...](), 0, ""
        number = sum(not turn.is_pick for turn in self.turns) + 1
        try:
            messages, prompt = tuple(ask.request.messages), tokens(ask.request.parts, self._caps)
            reply = placeholder(ask, number, self.chance)
        except TemplateError as error:
            trouble, reply = str(error), Reply(failure=Failure("template", str(error)))
        self.is_made_up |= ask.format is not None
        human = ask.casting.human
        cap = self._caps[ask.id] = 0 if human else int(ask.options["num_predict"])
        window = ask.options.get("num_ctx")
        assumed, self._assumed = tuple(self._assumed), []
        self.turns.append(
            PlannedTurn(
                number=number,
                role=ask.speaker.role,
                label=f"{ask.label} {copy + 1}" if copy else ask.label,
                model=None if human else ask.model,
                host=mask(ask.casting.host) if ask.casting.host else None,
                place=self.decisions.place(ask.step),
                is_pick=ask.is_pick,
                is_switch=not human and self._switches(ask),
                prompt=prompt,
                reply=cap,
                window=window if isinstance(window, int) and not human else None,
                stops=ask.stops,
                assumptions=assumed,
                messages=messages,
                trouble=trouble,
            )
        )
        return reply

    def _switches(self, ask: Ask) -> bool:
        """Return whether another model was asked before."""
        before, self._model = self._model, (ask.casting.backend, ask.casting.host, ask.model)
        return before is not None and before != self._model

    def _visit(self, visit: TraceEvent) -> None:
        """Remember what is assumed here; not again what was assumed here the time before, unless it is a choice."""
        assumption = self.decisions.assumption(visit, is_picked=bool(self.turns) and self.turns[-1].is_pick)
        if assumption is None:
            return
        if visit.kind == "spoke" or self._told.get(assumption.place) != assumption.text:
            self._assumed.append(assumption)
        self._told[assumption.place] = assumption.text
