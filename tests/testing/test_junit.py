"""JUnit XML: whatever a case is called, the document is well formed."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

from llm_gc.testing import verdicts
from llm_gc.testing.playing import CaseRun
from tests.testing.suites import suite

NASTY = r"""
cases:
  - name: "a < b & \"c\" \e \0 \uD7FF 😀"
    replies: {anna: "]]> \u0001", ben: {data: {ok: true}}}
    expect: {result: "\e[31m <b>"}
"""


def test_nothing_in_a_name_breaks_it(tmp_path: Path) -> None:
    """What XML has no place for is replaced, everything else is read back as it was."""
    suite(tmp_path, NASTY)
    session = CaseRun([tmp_path / "p.test.yaml"])
    (tested,) = session.go()
    root = Xml.fromstring(verdicts.document([tested]).encode())
    (case,) = root.iter("testcase")
    assert case.get("name") == 'a < b & "c" \ufffd \ufffd \ud7ff 😀'
    (failure,) = case
    assert "- \ufffd[31m <b>" in (failure.text or "")


def test_nothing_tested_is_a_document_too() -> None:
    """With no suites, and no time."""
    root = Xml.fromstring(verdicts.document([]).encode())
    assert (root.tag, len(root), root.get("tests"), root.get("time")) == ("testsuites", 0, "0", "0.000000")
