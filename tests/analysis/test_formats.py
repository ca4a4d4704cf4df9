"""The forms of findings: excerpts for people, and what programs, GitHub and code scanning read."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from llm_gc.analysis.formats import FORMATS
from llm_gc.analysis.formats.text import WIDTH, Line, excerpts
from llm_gc.analysis.rule_pages import pages
from llm_gc.errors import Finding


def finding(line: int, column: int, end_column: int = 0, end_line: int = 0, **more: Any) -> Finding:
    """Return a finding at a place."""
    more |= {"end_line": end_line or line, "end_column": end_column}
    return Finding("f.yaml", line, column, "some-code", "it is wrong", **more)


def excerpt(text: str, found: Finding) -> list[str]:
    """Return the two lines under a finding."""
    return shown(excerpts([found], lambda _: text.split("\n")))[1:]


def shown(lines: Iterable[Line]) -> list[str]:
    """Return lines without their styles."""
    return ["".join(text for text, _ in line) for line in lines]


def test_a_word_is_marked() -> None:
    """From its first character to its last."""
    assert excerpt("one\ntwo three", finding(2, 5, 10)) == ["   2 | two three", "     |     ^^^^^"]


def test_an_end_that_nobody_knows() -> None:
    """One character is marked; one behind the end of the line too."""
    assert excerpt("one", finding(1, 2)) == ["   1 | one", "     |  ^"]
    assert excerpt("one", finding(1, 4)) == ["   1 | one", "     |    ^"]


def test_what_goes_over_lines() -> None:
    """Is marked to the end of its first line."""
    assert excerpt("a: {b: 1,\n  c: 2}", finding(1, 4, 8, 2)) == ["   1 | a: {b: 1,", "     |    ^^^^^^"]


def test_wide_characters_and_tabs() -> None:
    """The mark is under the word in a terminal, where some characters take two columns and some none."""
    assert excerpt("日本 x", finding(1, 4, 5)) == ["   1 | 日本 x", "     |      ^"]
    assert excerpt("e\u0301 x", finding(1, 4, 5)) == ["   1 | e\u0301 x", "     |   ^"]
    assert excerpt("\tx", finding(1, 2, 3)) == ["   1 |  x", "     |  ^"]


def test_what_a_terminal_would_act_upon() -> None:
    """Never gets there."""
    assert not {"\x1b", "\x07"} & set("".join(shown(excerpts([finding(1, 1)], lambda _: ["\x1b[2Jx\x07"]))))


@pytest.mark.parametrize("at", [1, 50, 250, 490])
def test_a_long_line_is_cut_around_the_word(at: int) -> None:
    """The word is shown and marked, whatever is around it."""
    line = "." * (at - 1) + "word" + "." * (500 - at)
    text, mark = excerpt(line, finding(1, at, at + 4))
    assert len(text) <= WIDTH + 9
    assert text[mark.index("^") : mark.rindex("^") + 1] == "word"


@pytest.mark.parametrize("columns", [30, 80, 200])
@pytest.mark.parametrize("letter", [".", "日"])
@pytest.mark.parametrize("at", [1, 40, 75, 297])
def test_an_excerpt_is_no_wider_than_the_terminal(columns: int, letter: str, at: int) -> None:
    """So that it is not broken, and the mark is under the word; of wide characters there are half as many."""
    line = letter * (at - 1) + "word" + letter * (300 - at)
    _, text, mark = shown(excerpts([finding(1, at, at + 4)], lambda _: [line], columns=columns))
    assert max(width(text), len(mark)) <= min(columns, WIDTH + 9)
    before = mark.index("^")
    assert width(text[: text.index("word")]) == before
    assert mark[before:] == "^^^^"


def width(text: str) -> int:
    """Count columns."""
    return len(text) + text.count("日")


def test_no_excerpt_where_there_is_no_line() -> None:
    """Of an option, of a file that is gone."""
    assert excerpt("", finding(3, 1)) == []
    assert shown(excerpts([finding(1, 1)], lambda _: [])) == ["f.yaml:1:1: error: it is wrong [some-code]"]


def test_styles() -> None:
    """The severity has its own, and the mark has it too."""
    head, line, mark = excerpts([finding(1, 1, 2, severity="warning")], lambda _: ["x"])
    assert [style for _, style in head] == ["bold", "", "yellow", "", "dim"]
    assert line == (("   1 |", "dim"), (" x", ""))
    assert mark == (("     |", "dim"), (" ", ""), ("^", "yellow"))


def test_text_without_excerpts() -> None:
    """One line each."""
    assert FORMATS["text"]([finding(1, 2, hint="Do it."), finding(2, 1)]).splitlines() == [
        "f.yaml:1:2: error: it is wrong. Do it. [some-code]",
        "f.yaml:2:1: error: it is wrong [some-code]",
    ]


def test_github() -> None:
    """What would end a command or one of its properties is escaped; an end column only within a line."""
    odd = Finding("a,b:c.yaml", 1, 2, "code", "100 % of\nit", "warning", end_line=1, end_column=5)
    assert FORMATS["github"]([odd, finding(1, 2, 3, 4)]).splitlines() == [
        "::warning file=a%2Cb%3Ac.yaml,line=1,endLine=1,col=2,endColumn=5,title=code::100 %25 of%0Ait",
        "::error file=f.yaml,line=1,endLine=4,col=2,title=some-code::it is wrong",
    ]


def closed(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    """Return the schema of an object with these properties and no others."""
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, "additionalProperties": False, **needed}


TEXT = {"type": "string"}
WHOLE = {"type": "integer", "minimum": 1}
MESSAGE = closed(("text",), text=TEXT)
REGION = closed(startLine=WHOLE, startColumn=WHOLE, endLine=WHOLE, endColumn=WHOLE)
PHYSICAL = closed(
    ("artifactLocation",), artifactLocation=closed(uri={"format": "uri-reference", **TEXT}), region=REGION
)
LOGICAL = {"type": "array", "uniqueItems": True, "items": closed(fullyQualifiedName=TEXT)}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
LOCATIONS = {"type": "array", "items": closed(physicalLocation=PHYSICAL, logicalLocations=LOGICAL)}
RESULT = closed(
    ("message",),
    ruleId=TEXT,
    ruleIndex={"type": "integer", "minimum": -1},
    level=LEVEL,
    message=MESSAGE,
    locations=LOCATIONS,
)
RULES = {
    "type": "array",
    "uniqueItems": True,
    "items": closed(("id",), id=TEXT, shortDescription=MESSAGE, help=MESSAGE, defaultConfiguration=closed(level=LEVEL)),
}
TOOL = closed(("driver",), driver=closed(("name",), name=TEXT, version=TEXT, rules=RULES))
RUN = closed(
    ("tool",),
    tool=TOOL,
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": RESULT},
)
SARIF = closed(
    ("version", "runs"),
    **{"$schema": {"format": "uri", **TEXT}},
    version={"enum": ["2.1.0"]},
    runs={"type": "array", "items": RUN},
)
"""What SARIF 2.1.0 demands of the properties that we use: its types, what it requires, and that there are no others."""


@pytest.mark.parametrize(
    "findings",
    [
        [],
        [finding(1, 2, 3)],
        [finding(1, 1, path="turns.0"), finding(2, 1, severity="warning", hint="Do it.")],
        [Finding("f.yaml", 1, 1, code, "wrong") for code in pages()],
    ],
    ids=len,
)
def test_sarif_is_as_the_standard_has_it(findings: list[Finding]) -> None:
    """Every property is one of the standard's, and has what it demands."""
    log = json.loads(FORMATS["sarif"](findings))
    assert [error.message for error in Draft4Validator(SARIF).iter_errors(log)] == []
    assert len(log["runs"][0]["results"]) == len(findings)


def test_sarif_names_the_rule_and_brings_its_page() -> None:
    """A result leads to the rule that it breaks, once for all results."""
    found = [Finding("a b.yaml", 1, 1, code, "wrong") for code in ("unknown-role", "shape", "unknown-role")]
    (run,) = json.loads(FORMATS["sarif"](found))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["shape", "unknown-role"]
    assert all(rule["help"]["text"].startswith(f"{rule['id']} (error): ") for rule in rules)
    assert all(rule["shortDescription"]["text"].endswith(".") for rule in rules)
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == [one.code for one in found]
    assert {result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]} == {
        "a%20b.yaml"
    }


def test_services_see_files_from_the_root_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever in it the command runs; text and JSON name a file as it was named."""
    (tmp_path / ".git").mkdir()
    here = tmp_path / "talks" / "inner"
    here.mkdir(parents=True)
    (here / "f.yaml").touch()
    (here.parent / "f.yaml").touch()
    monkeypatch.chdir(here)
    found = finding(1, 1)
    above = dataclasses.replace(found, file="../f.yaml")
    assert "file=talks/inner/f.yaml," in FORMATS["github"]([found])
    assert "file=talks/f.yaml," in FORMATS["github"]([above])
    assert '"uri": "talks/inner/f.yaml"' in FORMATS["sarif"]([found])
    assert FORMATS["text"]([found]).startswith("f.yaml:")
    assert '"f.yaml"' in FORMATS["json"]([found])


def test_a_file_outside_of_the_repository_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so does one where there is no repository."""
    (tmp_path / "f.yaml").touch()
    inside = tmp_path / "inside"
    (inside / ".git").mkdir(parents=True)
    monkeypatch.chdir(inside)
    outside = dataclasses.replace(finding(1, 1), file="../f.yaml")
    assert "file=../f.yaml," in FORMATS["github"]([outside])
