"""What is said of test files that were played: a line for each, each failure in full, what was not come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llm_gc.testing.coverage import Coverage, percent
from llm_gc.testing.playing import Verdict
from llm_gc.testing.session import Tested


def line(tested: Tested) -> str:
    """Give a file's line: how many of its cases passed, failed, were left out."""
    if tested.broken is not None:
        return f"{tested.file}: cannot be played"
    return f"{tested.file}: {_counts(tested.passed, len(tested.failed), tested.left_out)}"


def failure(verdict: Verdict) -> Iterator[str]:
    """Give the lines about a case that did not come out as expected."""
    yield f"{verdict.suite.file}:{verdict.line}: {verdict.name}"
    source = verdict.suite.source
    placed = [(source.place(mismatch.path), mismatch) for mismatch in verdict.mismatches]
    for place, mismatch in sorted(placed, key=lambda one: (one[0].line, one[0].column)):
        yield f"  {verdict.suite.file}:{place.line}:{place.column}: {mismatch.message}"
        yield from (f"      {shown}".rstrip() for shown in mismatch.lines)


def summary(tested: Sequence[Tested], seconds: float) -> str:
    """Give the last line."""
    passed, failed = sum(one.passed for one in tested), sum(len(one.failed) for one in tested)
    broken, left_out = sum(one.broken is not None for one in tested), sum(one.left_out for one in tested)
    counts = _counts(passed, failed, left_out)
    if broken:
        counts += f", {broken} file{'' if broken == 1 else 's'} that cannot be played"
    return f"{counts} in {seconds:.2f} s"


def coverage(covered: Sequence[Coverage]) -> Iterator[str]:
    """Give the table of what was come to: a line for each pipeline, and below it what was not."""
    width = max(len(name) for name in ("coverage", *(one.loaded.file for one in covered)))
    yield f"{'coverage':{width}}  come to      of   share"
    for one in covered:
        got, of = one.counts
        yield f"{one.loaded.file:{width}}  {got:7}  {of:6}  {percent(got, of):4.0f} %"
        for found in one.findings():
            yield f"  {found.file}:{found.line}:{found.column}: {found.message}"
    if len(covered) > 1:
        got, of = (sum(counts) for counts in zip(*(one.counts for one in covered), strict=True))
        yield f"{'all':{width}}  {got:7}  {of:6}  {total(covered):4.0f} %"


def total(covered: Sequence[Coverage]) -> float:
    """Give the share that was come to of all pipelines, in percent."""
    counts = [one.counts for one in covered]
    return percent(sum(got for got, _ in counts), sum(of for _, of in counts))


def _counts(passed: int, failed: int, left_out: int) -> str:
    words = ((passed, "passed"), (failed, "failed"), (left_out, "left out"))
    return ", ".join(f"{count} {word}" for count, word in words if count) or "0 passed"
