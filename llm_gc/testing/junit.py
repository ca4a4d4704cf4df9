"""The verdicts as JUnit XML, which every CI shows.

The form has no standard; this is what Jenkins' schema and GitLab's reports have in common.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as Xml

from llm_gc.testing.report import failure
from llm_gc.testing.session import Tested

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The characters that XML 1.0 has no place for, not even as a reference."""


def document(tested: Sequence[Tested]) -> str:
    """Give the whole document: a suite for each file, a test case for each case that was played."""
    root = Xml.Element("testsuites", name="llm-gc")
    for one in tested:
        root.append(_suite(one))
    for key in ("tests", "failures", "errors", "time"):
        total = sum(float(suite.get(key, "0")) for suite in root)
        root.set(key, f"{total:.6f}" if key == "time" else str(int(total)))
    Xml.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _suite(tested: Tested) -> Xml.Element:
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
