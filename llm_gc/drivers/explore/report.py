"""The report of an exploration, as data: for a text, for JSON, and for a test file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from llm_gc.drivers.explore.findings import Found, wrong
from llm_gc.drivers.explore.overall import switches
from llm_gc.drivers.explore.parts import Part, parts
from llm_gc.drivers.explore.scripts import Said, Scripts, told
from llm_gc.drivers.explore.search import MAX_STATES, Exploration, Progress, Search
from llm_gc.drivers.explore.seen import End
from llm_gc.drivers.explore.supplied import Supplied
from llm_gc.drivers.explore.unreached import unreached
from llm_gc.errors import Finding, Severity
from llm_gc.project import Loaded
from llm_gc.protocol import Path


@dataclass(frozen=True)
class Told:
    """A finding at its place, the replies that lead there, and a case of a test file that shows it, where one can.

    ``is_shortest`` tells whether no fewer replies lead to it; far on in a loop without an end of its own, not
    all ways were followed.
    """

    finding: Finding
    is_note: bool
    way: tuple[Said, ...] | None
    is_shortest: bool
    case: Mapping[str, Any] | None


@dataclass(frozen=True)
class Ending:
    """One way to end, with the fewest and the most turns of those that end so, and the shortest way there."""

    reason: str
    detail: str
    status: str
    turns: tuple[int, int]
    way: tuple[Said, ...]
    silent: tuple[str, ...]

    @property
    def is_failed(self) -> bool:
        """Whether it has failed by a reason that is no failure by itself."""
        return self.status == "failed" and self.reason != "error"


@dataclass(frozen=True)
class Largest:
    """The largest prompt of a role in tokens; ``num_ctx`` is none where nobody declared it."""

    tokens: int
    num_ctx: int | None
    max_tokens: int
    way: tuple[Said, ...]


@dataclass(frozen=True)
class Report:
    """What an exploration says of a pipeline.

    ``whole`` tells whether all states were looked at, ``in_all_ways`` whether each was gone on from in all ways;
    ``switches`` are the changes of model on the ways with the fewest and the most of them; ``anew`` names each role
    and step whose request does not begin with what the role was sent last; ``reached`` counts steps and stops;
    ``overrides`` are the values that were laid over the pipeline's, by their paths.
    """

    file: str
    inputs: Mapping[str, Supplied]
    states: int
    generated: int
    whole: bool
    in_all_ways: bool
    endings: tuple[Ending, ...]
    prompts: Mapping[str, Largest]
    switches: tuple[int, int]
    anew: tuple[tuple[str, Path], ...]
    reached: Mapping[str, tuple[int, int]]
    findings: tuple[Told, ...]
    cases: tuple[Mapping[str, Any], ...]
    overrides: Mapping[str, Any]

    @property
    def failed(self) -> bool:
        """Whether something is wrong."""
        return any(not told_.is_note for told_ in self.findings)

    @property
    def turns(self) -> tuple[int, int]:
        """The fewest and the most turns of all."""
        return (
            min((ending.turns[0] for ending in self.endings), default=0),
            max((ending.turns[1] for ending in self.endings), default=0),
        )


def rehearse(
    loaded: Loaded, inputs: Mapping[str, Supplied], max_states: int = MAX_STATES, progress: Progress | None = None
) -> Report:
    """Explore a pipeline, and report.

    Raises:
        TemplateError: where a template over the inputs alone fails.

    """
    values = {name: supplied.value for name, supplied in inputs.items()}
    pipeline, files = loaded.pipeline, loaded.files
    exploration = Search(pipeline, values, files, max_states=max_states, progress=progress).run()
    listed = list(parts(pipeline, files))
    found = [*wrong(exploration, listed), *unreached(exploration, listed)]
    reporter = _Reporter(loaded, exploration, Scripts(pipeline, values, files, exploration.replies))
    seen = exploration.seen
    return Report(
        file=loaded.file,
        inputs=inputs,
        states=len(exploration.nodes),
        generated=exploration.generated,
        whole=exploration.is_whole,
        in_all_ways=exploration.is_full,
        endings=tuple(_ending(end) for end in seen.order),
        prompts={
            role: Largest(one.tokens, one.window, one.most, tuple(told(one.at))) for role, one in seen.prompts.items()
        },
        switches=switches(exploration),
        anew=tuple(seen.anew),
        reached=_reached(listed, exploration),
        findings=reporter.findings(found),
        cases=tuple(reporter.cases()),
        overrides={".".join(one.path): one.value for one in loaded.document.overrides},
    )


def _ending(end: End) -> Ending:
    return Ending(end.reason, end.detail, end.status, end.turns, tuple(told(end.at)), end.silent)


class _Reporter:
    """Puts findings into their places in the document, and makes cases of ways."""

    def __init__(self, loaded: Loaded, exploration: Exploration, scripts: Scripts) -> None:
        self._loaded, self._exploration, self._scripts = loaded, exploration, scripts

    def findings(self, found: list[Found]) -> tuple[Told, ...]:
        placed = [Told(self._located(one), one.is_note, *self._shown(one)) for one in found]
        return tuple(sorted(placed, key=lambda t: (t.is_note, t.finding.file, t.finding.line, t.finding.column)))

    def _located(self, found: Found) -> Finding:
        severity: Severity = "warning" if found.is_note else "error"
        if found.error is not None and found.error.path:
            where = self._loaded.locate(found.error)
        else:
            owner, path = self._loaded.owner(found.path)
            where = owner.document.finding(path, found.code, found.message)
        return replace(where, code=found.code, message=found.message, severity=severity)

    def _shown(self, found: Found) -> tuple[tuple[Said, ...] | None, bool, Mapping[str, Any] | None]:
        if found.at is None:
            return None, False, None
        shortest = all(node.number in self._exploration.full for node in found.at.path()[:-1] if not node.broken)
        case = self._scripts.case(f"{found.code}: {found.message}", found.at, found.ends)
        return tuple(told(found.at)), shortest, case

    def cases(self) -> list[Mapping[str, Any]]:
        """Give one case for each ending that a test file can say."""
        cases: list[Mapping[str, Any]] = []
        for end in self._exploration.seen.order:
            case = self._scripts.case(_title(end), end.at, end.reason)
            if case is not None and case["replies"]:
                cases.append(case)
        return cases


def _title(end: End) -> str:
    turns = f"{end.turns[0]} turn{'' if end.turns[0] == 1 else 's'}"
    return f"It ends by {end.reason} after {turns}: {end.detail}."


def _reached(listed: list[Part], exploration: Exploration) -> dict[str, tuple[int, int]]:
    """Count the steps and the stops that were come to, and all of them."""
    come = {(visit.kind, visit.path) for visit in exploration.seen.visits}
    steps = [path for part in listed for path in part.steps]
    stops = [path for part in listed for path in part.stops]
    return {
        "steps": (sum(("step", path) in come for path in steps), len(steps)),
        "stops": (sum(("stop", path) in come for path in stops), len(stops)),
    }
