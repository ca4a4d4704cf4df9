"""Every code has its page, and docs/rules.md holds them all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llm_gc.analysis import rule_pages
from llm_gc.analysis.rules import RULES
from tests.commands import ROOT
from tools.rule_pages import main

FOUND = rule_pages.pages()


def test_the_document_is_fresh() -> None:
    """It is as the docstrings say: else run `make docs`."""
    assert (ROOT / "docs" / "rules.md").read_text(encoding="utf-8") == rule_pages.document()


def test_every_code_has_a_page() -> None:
    """Whatever is found in any case is explained, and every page is about something that is found in one."""
    outs = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests" / "cases" / "err").glob("*.out"))
    assert set(re.findall(r"\[([a-z-]+)\]$", outs, re.MULTILINE)) <= set(FOUND)
    assert set(FOUND) == {*RULES, *rule_pages.READING}


@pytest.mark.parametrize("code", FOUND)
def test_a_page_is_whole(code: str) -> None:
    """A code, a sentence, what is bad and what is good."""
    page = FOUND[code]
    assert page.code == code
    assert re.fullmatch(r"[A-Z`].*\.", page.sentence)
    assert re.match(r"Bad:   .*\n(.*\n)*Good:  ", page.examples)
    assert str(page).startswith(f"{code} ({page.severity}): ")
    assert page.more in str(page)


@pytest.mark.parametrize("code", RULES)
def test_the_severity_is_that_of_what_is_found(code: str) -> None:
    """As far as the cases show: a rule for errors may find a warning too, one for warnings finds nothing else."""
    outs = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests" / "cases" / "err").glob("*.out"))
    severities = set(re.findall(rf": (error|warning): .* \[{code}\]$", outs, re.MULTILINE))
    assert FOUND[code].severity in severities
    assert severities == {"warning"} or FOUND[code].severity == "error"


def test_a_page_by_its_code() -> None:
    """A misspelt one is answered with the one that was meant."""
    assert rule_pages.page("unset-name") == FOUND["unset-name"]
    with pytest.raises(KeyError, match="there is no code 'unset-nam'"):
        rule_pages.page("unset-nam")
    with pytest.raises(KeyError, match="The codes are bad-format, "):
        rule_pages.page("zzz")


def test_main_writes_the_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the file that is named."""
    file = tmp_path / "rules.md"
    monkeypatch.setattr("sys.argv", ["pages", str(file)])
    main()
    assert file.read_text(encoding="utf-8") == rule_pages.document()
