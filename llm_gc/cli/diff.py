"""diff: say where two conversations part, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_gc.cli.output import out
from llm_gc.errors import UnreadableSession

if TYPE_CHECKING:
    from llm_gc.transcript.compare import Comparison, Pair
    from llm_gc.transcript.differences import Change
    from llm_gc.transcript.records import Transcript


MAX_LINES = 60
"""So many lines are shown of each part."""


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--sessions", "folder", type=click.Path(path_type=Path), default="sessions", show_default=True,
              metavar="DIR", help="Where sessions are looked for.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON.")
def command(first: str, second: str, folder: Path, as_json: bool) -> int:
    """Compare two sessions (files, ids, how they begin, or last): inputs, pipelines, then turn by turn.

    What is - or [-…-] is in A alone, what is + or {+…+} in B alone. The exit code is 1 where they differ. Times,
    ids and what the server counted are no differences.
    """
    from llm_gc.sessions import find_session, load_session
    from llm_gc.transcript.compare import compare
    from llm_gc.transcript.encode import dumps

    one, other = (load_session(find_session(text, folder)) for text in (first, second))
    try:
        found = compare(one, other)
    except ValueError as error:
        raise UnreadableSession(str(error)) from error
    if as_json:
        out.escaped(dumps(_data(one, other, found), indent=1))
    else:
        for line in _report(one, other, found):
            out.line(line, fit=False)
    return 1 if found.differs else 0


def _report(one: Transcript, other: Transcript, found: Comparison) -> Iterator[str]:
    yield f"A: {one.id}"
    yield f"B: {other.id}"
    for title, part in (("inputs", found.inputs), ("pipeline", found.pipeline), ("besides", found.around)):
        if part:
            yield from ("", title)
            yield from _cut([f"  {line}" for change in part for line in change.lines()])
    yield from ("", "turns")
    yield from _turns(found)
    yield from ("", "end")
    yield from ([f"  {line}" for change in found.end for line in change.lines()] or ["  the same"])
    yield ""
    for name, transcript in (("A", one), ("B", other)):
        yield f"{name}: {_summary(transcript)}"
    yield "they differ" if found.differs else "they are the same conversation"


def _turns(found: Comparison) -> Iterator[str]:
    total = len(found.pairs)
    if found.same:
        every = "all" if found.same == total else "the first"
        yield f"  {every} {found.same} {'are' if found.same != 1 else 'is'} the same"
    if found.parting is None:
        if not total:
            yield "  there are none"
        return
    yield f"  they part at {_words(found.parting)}"
    yield from _cut([f"    {line}" for line in found.parting.lines])
    later = found.pairs[found.same + 1 :]
    yield from _cut([f"  {_words(pair)}" for pair in later])


def _words(pair: Pair) -> str:
    from llm_gc.transcript.compare import WORDS

    if "missing" in pair.causes:
        return f"{pair.place}: only in {'A' if pair.second is None else 'B'}"
    return f"{pair.place}: {', '.join(WORDS[cause] for cause in pair.causes) or 'the same'}"


def _cut(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:MAX_LINES]
    if len(lines) > MAX_LINES:
        yield f"  … and {len(lines) - MAX_LINES} lines more"


def _summary(transcript: Transcript) -> str:
    from llm_gc.reports.figures import summary

    return " · ".join(summary(transcript))


def _data(one: Transcript, other: Transcript, found: Comparison) -> dict[str, Any]:
    parting = found.parting
    return {
        "a": one.id,
        "b": other.id,
        "differ": found.differs,
        "inputs": _changed(found.inputs),
        "pipeline": _changed(found.pipeline),
        "besides": _changed(found.around),
        "same": found.same,
        "parting": None if parting is None else {**_pair(parting), "lines": list(parting.lines)},
        "turns": [_pair(pair) for pair in found.pairs],
        "end": _changed(found.end),
    }


def _pair(pair: Pair) -> dict[str, Any]:
    turns = {"a": pair.first, "b": pair.second}
    known = {name: {"turn": t.turn, "id": t.id, "role": t.role} for name, t in turns.items() if t is not None}
    return {**known, "causes": list(pair.causes)}


def _changed(found: Sequence[Change]) -> list[dict[str, Any]]:
    from llm_gc.transcript.differences import ABSENT

    return [
        {"path": change.place, **{k: v for k, v in (("a", change.old), ("b", change.new)) if v is not ABSENT}}
        for change in found
    ]
