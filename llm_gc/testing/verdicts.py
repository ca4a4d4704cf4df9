"""The report of test files that were played: lines for people, JUnit XML for CI."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as Xml

from llm_gc.testing.coverage import Coverage, percent
from llm_gc.testing.playing import TestedFile, Verdict


def line(tested: TestedFile) -> str:
    """Return a file's line: how many of its cases passed, failed, were left out."""
    if tested.broken is not None:
        return f"{tested.file}: cannot be played"
    return f"{tested.file}: {_counts(tested.passed, len(tested.failed), tested.left_out)}"


def failure(verdict: Verdict) -> Iterator[str]:
    """Yield the lines about a case that did not come out as expected."""
    yield f"{verdict.suite.file}:{verdict.line}: {verdict.name}"
    source = verdict.suite.source
    placed = [(source.place(mismatch.path), mismatch) for mismatch in verdict.mismatches]
    for place, mismatch in sorted(placed, key=lambda one: (one[0].line, one[0].column)):
        yield f"  {verdict.suite.file}:{place.line}:{place.column}: {mismatch.message}"
        yield from (f"      {shown}".rstrip() for shown in mismatch.lines)


def summary(tested: Sequence[TestedFile], seconds: float) -> str:
    """Return the last line."""
    passed, failed = sum(one.passed for one in tested), sum(len(one.failed) for one in tested)
    broken, left_out = sum(one.broken is not None for one in tested), sum(one.left_out for one in tested)
    counts = _counts(passed, failed, left_out)
    if broken:
        counts += f", {broken} file{'' if broken == 1 else 's'} that cannot be played"
    return f"{counts} in {seconds:.2f} s"


def coverage(covered: Sequence[Coverage]) -> Iterator[str]:
    """Yield the table of what was reached: a line for each pipeline, and below it what was not."""
    width = max(len(name) for name in ("coverage", *(one.loaded.file for one in covered)))
    yield f"{'coverage':{width}}  reached      of   share"
    for one in covered:
        got, of = one.counts
        yield f"{one.loaded.file:{width}}  {got:7}  {of:6}  {percent(got, of):4.0f} %"
        for found in one.findings():
            yield f"  {found.file}:{found.line}:{found.column}: {found.message}"
    if len(covered) > 1:
        got, of = (sum(counts) for counts in zip(*(one.counts for one in covered), strict=True))
        yield f"{'all':{width}}  {got:7}  {of:6}  {total(covered):4.0f} %"


def total(covered: Sequence[Coverage]) -> float:
    """Return the share that was reached of all pipelines, in percent."""
    counts = [one.counts for one in covered]
    return percent(sum(got for got, _ in counts), sum(of for _, of in counts))


def _counts(passed: int, failed: int, left_out: int) -> str:
    words = ((passed, "passed"), (failed, "failed"), (left_out, "left out"))
    return ", ".join(f"{count} {word}" for count, word in words if count) or "0 passed"


_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The characters that XML 1.0 has no place for, not even as a reference."""


def document(tested: Sequence[TestedFile]) -> str:
    """Return the whole document: a suite for each file, a test case for each case that was played."""
    root = Xml.Element("testsuites", name="llm-gc")
    for one in tested:
        root.append(_suite(one))
    for key in ("tests", "failures", "errors", "time"):
        total = sum(float(suite.get(key, "0")) for suite in root)
        root.set(key, f"{total:.6f}" if key == "time" else str(int(total)))
    Xml.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _suite(tested: TestedFile) -> Xml.Element:
    broken = tested.broken is not None
    counts = {
        "tests": str(len(tested.verdicts) + broken),
        "failures": str(len(tested.failed)),
        "errors": str(int(broken)),
        "skipped": "0",
        "time": f"{tested.seconds:.6f}",
    }
    suite = Xml.Element("testsuite", {"name": tested.file, **counts})
    if tested.broken is not None:
        case = Xml.SubElement(suite, "testcase", classname=tested.file, name="the file can be played", time="0")
        _told(case, "error", str(tested.broken).splitlines())
    for verdict in tested.verdicts:
        about = {"classname": tested.file, "name": _clean(verdict.name), "time": f"{verdict.seconds:.6f}"}
        case = Xml.SubElement(suite, "testcase", {**about, "file": tested.file, "line": str(verdict.line)})
        if not verdict.passed:
            _told(case, "failure", list(failure(verdict))[1:])
    return suite


def _told(case: Xml.Element, kind: str, lines: list[str]) -> None:
    inner = Xml.SubElement(case, kind, message=_clean(lines[0].strip()), type=kind)
    inner.text = _clean("\n".join(lines))


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)
