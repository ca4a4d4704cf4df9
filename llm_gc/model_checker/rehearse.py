"""The report of an exploration, as data: for a text, for JSON, and for a test file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from llm_gc.errors import Finding, Severity
from llm_gc.model_checker.default_inputs import DefaultInputs
from llm_gc.model_checker.findings import Found, wrong
from llm_gc.model_checker.graph_metrics import switches
from llm_gc.model_checker.observations import ObservedEnd
from llm_gc.model_checker.pipelines import PipelinePart, pipeline_parts
from llm_gc.model_checker.reachability import unreached
from llm_gc.model_checker.scripts import ScriptLine, Scripts, retold
from llm_gc.model_checker.search import MAX_STATES, Exploration, Progress, Search
from llm_gc.project import Loaded
from llm_gc.protocol import Path


@dataclass(frozen=True)
class RehearsalFinding:
    """A finding at its place, the replies that lead there, and a case of a test file that shows it, where one can.

    ``is_shortest`` says whether no fewer replies lead to it; far on in a loop without an end of its own, not
    all ways were followed.
    """

    finding: Finding
    is_note: bool
    way: tuple[ScriptLine, ...] | None
    is_shortest: bool
    case: Mapping[str, Any] | None


@dataclass(frozen=True)
class ReportedEnding:
    """One way to end, with the fewest and the most turns of those that end so, and the shortest way there."""

    reason: str
    detail: str
    status: str
    turns: tuple[int, int]
    way: tuple[ScriptLine, ...]
    silent: tuple[str, ...]

    @property
    def is_failed(self) -> bool:
        """Whether it has failed by a reason that is no failure by itself."""
        return self.status == "failed" and self.reason != "error"


@dataclass(frozen=True)
class LargestPrompt:
    """The largest prompt of a role in tokens; ``num_ctx`` is none where nobody declared it."""

    tokens: int
    num_ctx: int | None
    max_tokens: int
    way: tuple[ScriptLine, ...]


@dataclass(frozen=True)
class RehearsalReport:
    """What an exploration says of a pipeline.

    ``whole`` says whether all states were looked at, ``in_all_ways`` whether each was continued from in all ways;
    ``switches`` are the changes of model on the ways with the fewest and the most of them; ``again`` names each role
    and step whose request does not begin with what the role was sent last; ``reached`` counts steps and stops;
    ``overrides`` are the values that were laid over the pipeline's, by their paths.
    """

    file: str
    inputs: Mapping[str, DefaultInputs]
    states: int
    generated: int
    whole: bool
    in_all_ways: bool
    endings: tuple[ReportedEnding, ...]
    prompts: Mapping[str, LargestPrompt]
    switches: tuple[int, int]
    anew: tuple[tuple[str, Path], ...]
    reached: Mapping[str, tuple[int, int]]
    findings: tuple[RehearsalFinding, ...]
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
    loaded: Loaded, inputs: Mapping[str, DefaultInputs], max_states: int = MAX_STATES, progress: Progress | None = None
) -> RehearsalReport:
    """Explore a pipeline, and report.

    Raises:
        TemplateError: where a template over the inputs alone fails.

    """
    values = {name: supplied.value for name, supplied in inputs.items()}
    pipeline, files = loaded.pipeline, loaded.files
    exploration = Search(pipeline, values, files, max_states=max_states, progress=progress).run()
    listed = list(pipeline_parts(pipeline, files))
    found = [*wrong(exploration, listed), *unreached(exploration, listed)]
    reporter = _Reporter(loaded, exploration, Scripts(pipeline, values, files, exploration.replies))
    seen = exploration.seen
    return RehearsalReport(
        file=loaded.file,
        inputs=inputs,
        states=len(exploration.nodes),
        generated=exploration.generated,
        whole=exploration.is_whole,
        in_all_ways=exploration.is_full,
        endings=tuple(_ending(end) for end in seen.order),
        prompts={
            role: LargestPrompt(one.tokens, one.window, one.most, tuple(retold(one.at)))
            for role, one in seen.prompts.items()
        },
        switches=switches(exploration),
        anew=tuple(seen.anew),
        reached=_reached(listed, exploration),
        findings=reporter.findings(found),
        cases=tuple(reporter.cases()),
        overrides={".".join(one.path): one.value for one in loaded.document.overrides},
    )


def _ending(end: ObservedEnd) -> ReportedEnding:
    return ReportedEnding(end.reason, end.detail, end.status, end.turns, tuple(retold(end.at)), end.silent)


class _Reporter:
    """Puts findings into their places in the document, and makes cases of ways."""

    def __init__(self, loaded: Loaded, exploration: Exploration, scripts: Scripts) -> None:
        self._loaded, self._exploration, self._scripts = loaded, exploration, scripts

    def findings(self, found: list[Found]) -> tuple[RehearsalFinding, ...]:
        placed = [RehearsalFinding(self._located(one), one.is_note, *self._shown(one)) for one in found]
        return tuple(sorted(placed, key=lambda t: (t.is_note, t.finding.file, t.finding.line, t.finding.column)))

    def _located(self, found: Found) -> Finding:
        severity: Severity = "warning" if found.is_note else "error"
        if found.error is not None and found.error.path:
            where = self._loaded.locate(found.error)
        else:
            owner, path = self._loaded.owner(found.path)
            where = owner.document.finding(path, found.code, found.message)
        return replace(where, code=found.code, message=found.message, severity=severity)

    def _shown(self, found: Found) -> tuple[tuple[ScriptLine, ...] | None, bool, Mapping[str, Any] | None]:
        if found.at is None:
            return None, False, None
        shortest = all(node.number in self._exploration.full for node in found.at.path()[:-1] if not node.broken)
        case = self._scripts.case(f"{found.code}: {found.message}", found.at, found.ends)
        return tuple(retold(found.at)), shortest, case

    def cases(self) -> list[Mapping[str, Any]]:
        """Return one case for each ending that a test file can say."""
        cases: list[Mapping[str, Any]] = []
        for end in self._exploration.seen.order:
            case = self._scripts.case(_title(end), end.at, end.reason)
            if case is not None and case["replies"]:
                cases.append(case)
        return cases


def _title(end: ObservedEnd) -> str:
    turns = f"{end.turns[0]} turn{'' if end.turns[0] == 1 else 's'}"
    return f"It ends by {end.reason} after {turns}: {end.detail}."


def _reached(listed: list[PipelinePart], exploration: Exploration) -> dict[str, tuple[int, int]]:
    """Count the steps and the stops that were reached, and all of them."""
    come = {(visit.kind, visit.path) for visit in exploration.seen.visits}
    steps = [path for part in listed for path in part.steps]
    stops = [path for part in listed for path in part.stops]
    return {
        "steps": (sum(("step", path) in come for path in steps), len(steps)),
        "stops": (sum(("stop", path) in come for path in stops), len(stops)),
    }
