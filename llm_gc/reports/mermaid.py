"""A pipeline as a picture: a flowchart in Mermaid's language, of who speaks after whom and what ends it.

Drawn is what the document says, not what a run would do: a box for each turn, a diamond for each decision, a frame
around what is repeated, continues side by side or is a conversation of its own. Variables are left out: nobody hears
them. Mermaid's flowcharts: https://mermaid.js.org/syntax/flowchart.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from llm_gc.language.fields import Stop
from llm_gc.language.pipeline import Pipeline
from llm_gc.language.steps import Step
from llm_gc.language.steps.choose import RANDOM, Choose
from llm_gc.language.steps.do import Do
from llm_gc.language.steps.end import End
from llm_gc.language.steps.parallel import Parallel
from llm_gc.language.steps.post import Post
from llm_gc.language.steps.repeat import Repeat
from llm_gc.language.steps.say import Say
from llm_gc.language.steps.scene import Scene
from llm_gc.language.steps.set import Set
from llm_gc.templates import without_braces

LONGEST = 60
"""So many characters of a text are in the picture."""

Shape = tuple[str, str]
"""What is to the left and to the right of a node's text."""

TURN: Shape = ("[", "]")
DECISION: Shape = ("{", "}")
ENDS: Shape = ("([", "])")
POST: Shape = ("[/", "/]")
ELSEWHERE: Shape = ("[[", "]]")


class Loose(NamedTuple):
    """The loose end of an arrow, which the next node takes up: where it comes from, and what is written on it."""

    node: str
    words: str = ""


def mermaid(pipeline: Pipeline) -> str:
    """Return the flowchart of a pipeline as Mermaid text."""
    return _Drawing(pipeline).text()


class _Drawing:
    """Lines of a flowchart, drawn from the first step to the last."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._lines: list[str] = []
        self._edges: list[str] = []
        """The arrows come last: a node that is named inside a frame would stand inside it."""
        self._indent = "  "
        self._nodes = self._frames = 0
        self._spoken: list[tuple[str, str]] = []
        """The boxes of turns in the scene that is drawn now: node and role."""

    def text(self) -> str:
        """Draw it all."""
        opening = self._pipeline.opening
        begin = self._node(ENDS, f"opening: {opening}" if opening else self._pipeline.name)
        with self._scene(self._pipeline.stop):
            loose = self._steps(self._pipeline.turns, [Loose(begin)])
        if loose:
            result = self._pipeline.result
            self._arrows(loose, self._node(ENDS, f"result: {result}" if result else "end"))
        return "\n".join(["flowchart TD", *self._lines, *self._edges]) + "\n"

    # --- Steps: each takes the loose ends that lead to it, and gives those that lead on

    def _steps(self, steps: Iterable[Step], loose: list[Loose]) -> list[Loose]:
        for step in steps:
            loose = self._step(step, loose)
        return loose

    def _step(self, step: Step, loose: list[Loose]) -> list[Loose]:
        if step.when is None or isinstance(step, Set):
            return self._drawn(step, loose)
        asked = self._node(DECISION, step.when)
        self._arrows(loose, asked)
        done = self._drawn(step, [Loose(asked, "yes")])
        if isinstance(step, Do) and step.else_:
            return done + self._steps(step.else_, [Loose(asked, "no")])
        return [*done, Loose(asked, "no")]

    def _drawn(self, step: Step, loose: list[Loose]) -> list[Loose]:
        match step:
            case Say():
                return [Loose(self._turn(step.say, loose, step.result))]
            case Do():
                return self._steps(step.do, loose)
            case Choose():
                return self._choose(step, loose)
            case Repeat():
                return self._repeat(step, loose)
            case Parallel():
                return self._parallel(step, loose)
            case Scene():
                return self._inner(step, loose)
            case Post():
                return [Loose(self._next(loose, POST, f"narrator: {step.post}"))]
            case End():
                self._next(loose, ENDS, f"{'end, failed' if step.failed else 'end'}: {step.end}")
                return []
        return loose

    def _turn(self, role: str, loose: list[Loose], result: str | None = None) -> str:
        about = self._pipeline.roles.get(role)
        lines = [about.label or role if about else role]
        if about is not None:
            lines.append("a person" if about.human else about.model or "")
        if result is not None and not result.strip():
            lines.append("heard by nobody")
        node = self._next(loose, TURN, *lines)
        self._spoken.append((node, role))
        return node

    def _choose(self, step: Choose, loose: list[Loose]) -> list[Loose]:
        table = step.choose
        asked = self._next(loose, DECISION, _who_chooses(step.by, self._pipeline))
        if isinstance(table, str):
            return [Loose(self._turn(_short(table), [Loose(asked)]))]
        followers = table if isinstance(table, dict) else {}
        roles = dict.fromkeys([*table, *(role for after in followers.values() for role in after)])
        boxes = {role: self._turn(role, [Loose(asked)]) for role in roles}
        for before, after in followers.items():
            for role in after:
                self._edge(boxes[before], "-.->", boxes[role], "then")
        return [Loose(self._joint([Loose(node) for node in boxes.values()]))]

    def _repeat(self, step: Repeat, loose: list[Loose]) -> list[Loose]:
        with self._frame(f"repeat, {_how_often(step)}"):
            first = self._nodes + 1
            inside = self._steps(step.repeat, loose)
            if step.until is not None and inside:
                asked = self._next(inside, DECISION, f"until {step.until}")
                inside = [Loose(asked, "yes")]
                self._edge(asked, "-.->", f"n{first}", "no")
            elif self._nodes >= first:
                for one in inside:
                    self._edge(one.node, "-.->", f"n{first}", one.words or "again")
        return inside

    def _parallel(self, step: Parallel, loose: list[Loose]) -> list[Loose]:
        done: list[Loose] = []
        with self._frame(_how_often(step, "side by side")):
            fork = self._joint(loose)
            for branch in step.parallel:
                done += self._step(branch, [Loose(fork)])
        return done

    def _inner(self, step: Scene, loose: list[Loose]) -> list[Loose]:
        if isinstance(step.scene, str):
            return [Loose(self._next(loose, ELSEWHERE, step.scene, _heard(step)))]
        with self._frame(f"in private; {_heard(step)}"), self._scene(step.stop or ()) as stopped:
            loose = self._steps(step.scene, loose)
        return loose + stopped

    @contextmanager
    def _scene(self, stops: Sequence[Stop]) -> Iterator[list[Loose]]:
        """Draw what ends a scene from the turns in it; given are the loose ends that its stops lead to."""
        around, self._spoken = self._spoken, []
        stopped: list[Loose] = []
        yield stopped
        for stop in stops:
            heard = [node for node, role in self._spoken if stop.role in (None, role)]
            if heard:
                end = self._node(ENDS, _why_it_stops(stop))
                for node in heard:
                    self._edge(node, "-.->", end)
                stopped.append(Loose(end))
        self._spoken = around + self._spoken

    # --- Lines

    def _next(self, loose: list[Loose], shape: Shape, *lines: str) -> str:
        node = self._node(shape, *lines)
        self._arrows(loose, node)
        return node

    def _node(self, shape: Shape, *lines: str) -> str:
        self._nodes += 1
        name = f"n{self._nodes}"
        left, right = shape
        self._line(f'{name}{left}"{"<br/>".join(_escaped(line) for line in lines if line)}"{right}')
        return name

    def _joint(self, loose: list[Loose]) -> str:
        """Draw a dot at which arrows meet or part."""
        self._nodes += 1
        name = f"n{self._nodes}"
        self._line(f"{name}@{{ shape: f-circ }}")
        self._arrows(loose, name)
        return name

    def _arrows(self, loose: Iterable[Loose], node: str) -> None:
        for one in loose:
            self._edge(one.node, "-->", node, one.words)

    def _edge(self, start: str, arrow: str, end: str, words: str = "") -> None:
        self._edges.append(f"  {start} {arrow}{_written(words)} {end}")

    @contextmanager
    def _frame(self, title: str) -> Iterator[None]:
        self._frames += 1
        self._line(f'subgraph f{self._frames}["{_escaped(title)}"]')
        self._indent += "  "
        yield
        self._indent = self._indent[:-2]
        self._line("end")

    def _line(self, text: str) -> None:
        self._lines.append(self._indent + text)


def _who_chooses(by: str, pipeline: Pipeline) -> str:
    if by == RANDOM:
        return "chance chooses"
    if by in pipeline.roles:
        return f"{pipeline.roles[by].label or by} chooses"
    return f"by {by}"


def _how_often(step: Repeat | Parallel, how: str = "") -> str:
    """Return how often the steps of a block are run, in the words of the pipeline."""
    words = [how] if how else []
    if step.in_ is not None:
        words.append(f"for each {step.for_} in {step.in_}")
    elif step.times is not None:
        words.append(f"{_inside(str(step.times))} times")
    elif not how:
        words.append("again and again")
    return ", ".join(words)


def _inside(template: str) -> str:
    """Return what is between the braces of a template that is nothing else."""
    inside = without_braces(template)
    return template if inside is None or {*"{}"} & {*inside} else inside


def _heard(step: Scene) -> str:
    """Return what is heard of a scene outside."""
    if step.result is None:
        return "what was heard last in it is heard"
    return f"heard: {_inside(step.result)}" if step.result.strip() else "heard by nobody"


def _why_it_stops(stop: Stop) -> str:
    who = stop.role or "anybody"
    if stop.token is None:
        return f"ends when {stop.when}"
    how = {"line": "says", "contains": "mentions", "regex": "says what matches"}[stop.match]
    return f"ends: {who} {how} {stop.token}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _escaped(text: str) -> str:
    """Return a text as it can be in a label: short, on one line, nothing in it Mermaid's or HTML's."""
    escapes = {"&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "#": "#35;", "`": "#96;"}
    return "".join(escapes.get(character, character) for character in _short(text))


def _written(words: str) -> str:
    return f'|"{_escaped(words)}"|' if words else ""
