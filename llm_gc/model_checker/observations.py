"""What a search observed: endings, visited steps, failures, prompt sizes, each with its first witness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llm_gc.core import Files, Outcome, TraceEvent
from llm_gc.core.context_window import reserve
from llm_gc.core.run_context import RunContext
from llm_gc.errors import TemplateError
from llm_gc.language.pipeline import Pipeline, Role
from llm_gc.language.steps.scene import Scene
from llm_gc.language.texts import models
from llm_gc.model_checker.projection import unmarked
from llm_gc.model_checker.simulator import StateNode
from llm_gc.protocol import Ask, Path
from llm_gc.values.units import as_tokens


class Windows:
    """The context window of each role, as far as it is declared; in the pipelines of scenes too."""

    def __init__(self, pipeline: Pipeline, inputs: Mapping[str, Any], files: Files) -> None:
        """Work them out. Inputs of a scene's pipeline have their defaults here.

        Raises:
            TemplateError: where a template over the inputs fails.

        """
        castings = RunContext(pipeline, inputs, files).castings
        self._known: dict[Path, dict[str, Any]] = {(): {name: one.options for name, one in castings.items()}}
        self._scenes(pipeline, files, ())

    def _scenes(self, pipeline: Pipeline, files: Files, path: Path) -> None:
        for at, model in models(pipeline.turns, (*path, "turns")):
            if isinstance(model, Scene) and isinstance(model.scene, str) and model.scene in files.scenes:
                inner, inner_files = files.scenes[model.scene]
                given = {name: schema["default"] for name, schema in inner.inputs.items() if "default" in schema}
                try:
                    castings = RunContext(inner, given, inner_files).castings
                except TemplateError:
                    castings = {}  # without its inputs it cannot be told
                self._known[(*at, "scene")] = {name: one.options for name, one in castings.items()}
                self._scenes(inner, inner_files, (*at, "scene"))

    def of(self, ask: Ask) -> int | None:
        """Return the context window of whoever is asked; None where it is left to the server."""
        part = max((path for path in self._known if ask.step[: len(path)] == path), key=len)
        window = self._known[part].get(ask.speaker.role, {}).get("num_ctx")
        return window if isinstance(window, int) else None


def windowless(pipeline: Pipeline) -> Pipeline:
    """Return a pipeline of which no role declares a window."""
    roles = {name: _windowless(role) for name, role in pipeline.roles.items()}
    return pipeline.model_copy(update={"roles": roles})


def windowless_files(files: Files) -> Files:
    """Return the files of such a pipeline."""
    scenes = {name: (windowless(scene), windowless_files(inner)) for name, (scene, inner) in files.scenes.items()}
    return Files(files.prompts, scenes)


def _windowless(role: Role) -> Role:
    options = {key: value for key, value in role.options.items() if key != "num_ctx"}
    return role.model_copy(update={"num_ctx": None, "options": options})


@dataclass
class ObservedEnd:
    """One way to end. ``at`` is the shortest way there; ``turns`` are the fewest and the most turns.

    ``silent`` are the roles that have not spoken by then, on the way on which they are most; ``stood_in`` tells why the
    result could not be rendered on some way, so that the last message was in; ``empty_at`` is a way on which it
    is empty.
    """

    reason: str
    detail: str
    status: str
    failure: str | None
    at: StateNode
    turns: tuple[int, int]
    silent: tuple[str, ...] = ()
    silent_at: StateNode | None = None
    stood_in: str = ""
    stood_in_at: StateNode | None = None
    empty_at: StateNode | None = None
    times: int = 0


@dataclass
class ObservedFault:
    """Something that goes wrong on a way."""

    kind: str
    what: str
    at: StateNode


@dataclass
class ObservedPrompt:
    """The largest prompt of a role, in tokens as they are guessed from characters.

    ``over`` is the first one that leaves no room for the reply in its context window: its size, the window, and where
    it is sent.
    """

    tokens: int
    window: int | None
    most: int
    at: StateNode
    over: tuple[int, int, StateNode] | None = None


@dataclass
class Observations:
    """All of it. The first ones that are told are kept: whoever goes breadth-first tells the shortest ways first."""

    windows: Windows
    visits: dict[TraceEvent, StateNode] = field(default_factory=dict)
    ends: dict[tuple[str, ...], ObservedEnd] = field(default_factory=dict)
    order: list[ObservedEnd] = field(default_factory=list)
    faults: dict[tuple[str, str], ObservedFault] = field(default_factory=dict)
    prompts: dict[str, ObservedPrompt] = field(default_factory=dict)
    anew: dict[tuple[str, Path], StateNode] = field(default_factory=dict)

    def visited(self, visits: Iterable[TraceEvent], at: StateNode) -> None:
        """Take what was reached."""
        for visit in visits:
            value = visit.value if isinstance(visit.value, (str, bool, type(None))) else str(visit.value)
            self.visits.setdefault(TraceEvent(visit.kind, visit.path, value), at)

    def fault(self, kind: str, what: str, at: StateNode) -> None:
        """Take something that went wrong."""
        what = unmarked(what)
        self.faults.setdefault((kind, what), ObservedFault(kind, what, at))

    def ended(self, outcome: Outcome, turns: int, silent: tuple[str, ...], place: str, at: StateNode) -> int:
        """Take an ending; return its number."""
        key = (outcome.reason, outcome.failure or "", place)
        if key not in self.ends:
            self.ends[key] = ObservedEnd(
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

    def stood_in(self, number: int, why: str, at: StateNode) -> None:
        """Take that the result of an ending could not be rendered."""
        end = self.order[number]
        if end.stood_in_at is None:
            end.stood_in, end.stood_in_at = unmarked(why), at

    def asked(self, ask: Ask, parts: tuple[int, ...], size: int, at: StateNode) -> None:
        """Take a request of ``size`` characters: how large it is, and whether it extends its speaker's last one."""
        tokens, window = as_tokens(size), self.windows.of(ask)
        role, most = ask.speaker.role, int(ask.options["num_predict"])
        prompt = self.prompts.setdefault(role, ObservedPrompt(tokens, window, most, at))
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
