"""The report of a rehearsal: in lines for people, as JSON, and as a test file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from llm_gc.model_checker.rehearse import RehearsalFinding, RehearsalReport
from llm_gc.model_checker.scripts import ScriptLine
from llm_gc.source import dotted
from llm_gc.values.frozen import plain
from llm_gc.values.units import CHARACTERS_PER_TOKEN

MOST_SHOWN = 12
"""So many replies of a way are shown; of longer ones the first and the last."""


def lines(report: RehearsalReport) -> Iterator[str]:
    """Yield a report as text."""
    yield report.file
    yield from _supplied(report)
    yield from _explored(report)
    yield ""
    yield "It ends on every path:" if report.whole else "As far as it was looked at, it ends:"
    yield from _endings(report)
    yield ""
    yield f"The largest prompts in tokens ({CHARACTERS_PER_TOKEN} characters each), replies being as long as they may:"
    yield from _prompts(report)
    yield ""
    yield from _requests(report)
    for told in report.findings:
        yield ""
        yield from _finding(report, told)


def verdict(report: RehearsalReport) -> str:
    """Return the last word."""
    errors = sum(not told.is_note for told in report.findings)
    notes = len(report.findings) - errors
    found = f"{errors} {'fault' if errors == 1 else 'faults'}" if errors else "no fault"
    found += f", {notes} {'note' if notes == 1 else 'notes'}" if notes else ""
    if report.whole:
        return f"{report.states:,} states: {found}"
    return f"{report.states:,} states, and there are more: {found} so far, and nothing is proved"


def _supplied(report: RehearsalReport) -> Iterator[str]:
    for name, supplied in report.inputs.items():
        value = json.dumps(supplied.value, ensure_ascii=False)
        yield f"  {name} = {value if len(value) <= 60 else value[:59] + '…'} ({supplied.origin})"


def _explored(report: RehearsalReport) -> Iterator[str]:
    yield f"  {report.states:,} states, reached {report.generated:,} times"
    if not report.whole:
        yield "  The bound on states was hit: what follows holds for those that were looked at; raise --max-states."
    if not report.in_all_ways:
        yield "  Far on in a loop one way round was followed: the largest prompts are those of the ways that were."


def _endings(report: RehearsalReport) -> Iterator[str]:
    rows = []
    for ending in report.endings:
        low, high = ending.turns
        turns = f"{low} to {high} turns" if low != high else f"{low} turn{'' if low == 1 else 's'}"
        silent = f"; {', '.join(ending.silent)} may not have spoken" if ending.silent else ""
        reason = f"{ending.reason} (failed)" if ending.is_failed else ending.reason
        rows.append((reason, turns, f"{ending.detail}{silent}"))
    yield from _table(rows)


def _prompts(report: RehearsalReport) -> Iterator[str]:
    rows = []
    for role, one in report.prompts.items():
        window = f"of num_ctx {one.num_ctx:,}" if one.num_ctx is not None else "no num_ctx is written"
        rows.append((role, f"{one.tokens:,}", f"{window}; a reply has up to {one.max_tokens:,}"))
    yield from _table(rows)


def _requests(report: RehearsalReport) -> Iterator[str]:
    best, worst = report.switches
    yield f"The model changes {f'{best} to {worst}' if best != worst else best} times."
    if report.anew:
        places = ", ".join(f"{role} at {dotted(path)}" for role, path in report.anew)
        yield f"Requests that do not begin with the role's last one, so the server reads them whole: {places}."
    else:
        yield "Every request begins with the role's last one."
    (steps, all_steps), (stops, all_stops) = report.reached["steps"], report.reached["stops"]
    yield f"{steps} of {all_steps} steps and {stops} of {all_stops} stops were reached."


def _finding(report: RehearsalReport, told: RehearsalFinding) -> Iterator[str]:
    yield str(told.finding)
    if told.way is not None:
        yield from _way(told.way, is_shortest=told.is_shortest)
    if told.case is not None:
        yield "  As a case for a test file:"
        yield from (f"  {line}" for line in _written({"cases": [_alone(report, told.case)]}).splitlines()[1:])


def as_test_file(report: RehearsalReport, pipeline: str | None = None, schema: str | None = None) -> str:
    """Return a test file with one case for each ending; inputs that have no default are in it, and what was laid over.

    ``pipeline`` is the pipeline's file, seen from the test file; it need not be named where they are side by side.
    """
    named = {"pipeline": pipeline} if pipeline else {}
    return _written({**named, **_given(report), "cases": list(report.cases)}, schema)


def _given(report: RehearsalReport) -> dict[str, Any]:
    """Return what a test needs to play what was explored: the inputs, and the values laid over the pipeline's."""
    inputs = {name: one.value for name, one in report.inputs.items() if one.origin != "default"}
    return {key: plain(values) for key, values in (("inputs", inputs), ("set", report.overrides)) if values}


def _alone(report: RehearsalReport, case: Mapping[str, Any]) -> dict[str, Any]:
    """Return a case with all that it needs, so that it can be pasted anywhere."""
    given = _given(report)
    set_ = {**given.pop("set", {}), **case.get("set", {})}
    rest = {key: value for key, value in case.items() if key not in ("name", "set")}
    return {"name": case["name"], **given, **({"set": set_} if set_ else {}), **rest}


def _written(file: Mapping[str, Any], schema: str | None = None) -> str:
    from llm_gc.testing.writing import text_of
    from llm_gc.transcript.cases import CaseFile

    return text_of(CaseFile.model_validate(file), schema)


def as_data(report: RehearsalReport) -> dict[str, Any]:
    """Return a report as plain data, for JSON."""
    return {
        "file": report.file,
        "inputs": {name: {"value": one.value, "origin": one.origin} for name, one in report.inputs.items()},
        "states": {
            "looked_at": report.states,
            "come_to": report.generated,
            "all": report.whole,
            "in_all_ways": report.in_all_ways,
        },
        "turns": {"least": report.turns[0], "most": report.turns[1]},
        "endings": [
            {
                "reason": one.reason,
                "detail": one.detail,
                "status": one.status,
                "turns": {"least": one.turns[0], "most": one.turns[1]},
                "silent": list(one.silent),
                "way": [said._asdict() for said in one.way],
            }
            for one in report.endings
        ],
        "prompts": {
            role: {
                "tokens": one.tokens,
                "num_ctx": one.num_ctx,
                "max_tokens": one.max_tokens,
                "way": [said._asdict() for said in one.way],
            }
            for role, one in report.prompts.items()
        },
        "model_switches": {"best": report.switches[0], "worst": report.switches[1]},
        "requests_anew": [{"role": role, "step": dotted(path)} for role, path in report.anew],
        "reached": {what: {"count": count, "all": all_} for what, (count, all_) in report.reached.items()},
        "findings": [_finding_data(report, told) for told in report.findings],
    }


def _finding_data(report: RehearsalReport, told: RehearsalFinding) -> dict[str, Any]:
    return {
        **asdict(told.finding),
        "way": None if told.way is None else [said._asdict() for said in told.way],
        "is_shortest": told.is_shortest,
        "case": None if told.case is None else _alone(report, told.case),
    }


def _way(way: Sequence[ScriptLine], *, is_shortest: bool) -> Iterator[str]:
    if not way:
        yield "  Before the first reply."
        return
    yield "  The shortest way there:" if is_shortest else "  A way there, of many round the loop:"
    half = MOST_SHOWN // 2
    shown = list(enumerate(way, 1))
    if len(way) > MOST_SHOWN:
        shown = [*shown[:half], *shown[-half:]]
    before = 0
    for number, said in shown:
        if number != before + 1:
            yield f"    … {number - before - 1} more"
        yield f"    {number}. {said.who}: {said.reply}"
        before = number


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max((len(row[index]) for row in rows), default=0) for index in range(len(rows[0]) - 1)] if rows else []
    for row in rows:
        front = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        yield f"  {front}  {row[-1]}"
