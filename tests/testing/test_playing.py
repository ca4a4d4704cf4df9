"""Playing cases: what is as expected passes, and each thing that is not is told with its place and a diff."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_gc.testing.playing import play
from tests.testing.suites import TWO, suite, told, verdict

GOOD = "replies: {anna: [A plan.], ben: [{data: {ok: true}}]}"


def test_a_case_that_is_all_as_expected(tmp_path: Path) -> None:
    """Everything that can be said of a conversation, and all of it true."""
    case = f"""
    {GOOD}
    expect:
      speakers: [anna, ben]
      asked: [anna, ben]
      turns: 2
      asks:
        - turn: 1
          sent: You are Anna.
          not_sent: [plan, Ben]
          system: {{equals: You are Anna.}}
          messages: [user: T]
          heard: A plan.
          failed: false
          data: null
        - role: ben
          sent: ["T", {"'anna: A plan.'"}]
          system: {{equals: ""}}
          data: {{ok: true}}
          heard: '{{"ok": true}}'
      variables: {{plan: A plan., ok: true, all: [A plan., {{ok: true}}], none_at_all: null}}
      result: '{{"ok": true}}'
      ended: {{status: completed, reason: turns_done, detail: every turn}}
    """
    assert told(tmp_path, case) == []
    assert verdict(tmp_path, case).passed


def placed(marked: str, line: int, indent: int) -> tuple[str, str]:
    """Return an expectation without the mark ^, and the place in the file that the mark shows."""
    before, _, after = marked.partition("^")
    return before + after, f"{line}:{indent + len(before) + 1}: "


@pytest.mark.parametrize(
    ("expected", "told_"),
    [
        ("speakers: ^[anna]", "who speaks is not as expected|  anna|+ ben"),
        ("asked: ^[ben, anna]", "who is asked is not as expected|+ anna|  ben|- anna"),
        ("turns: ^3", "the number of turns is not as expected|- 3|+ 2"),
        ("result: ^no", 'the result is not as expected|- no|+ {"ok": true}'),
        ("result: ^null", r'the result is not as expected|- null|+ "{\"ok\": true}"'),
        ("ended: ^stop_token", "it ended otherwise|- stop_token|+ turns_done: every turn was taken"),
        ("ended: ^failed", "it ended otherwise|- failed|+ completed: every turn was taken"),
        ("ended: {status: ^failed}", "the status at the end is not as expected|- failed|+ completed"),
        ("ended: {reason: ^error}", "the reason of the end is not as expected|- error|+ turns_done"),
        ("ended: {detail: ^x}", 'what is said of the end does not contain "x"|- x|+ every turn was taken'),
        ("variables: {ok: ^false}", "ok is not as expected|- false|+ true"),
        ("variables: {ok: ^1}", "ok is not as expected|- 1|+ true"),
        ("variables: {plan: ^B}", "plan is not as expected|- B|+ A plan."),
        ("variables: {plan: {ends: ^x}}", "plan ends otherwise|- x|+ ."),
        ("variables: {plan: {equals: ^x}}", "plan is not as expected|- x|+ A plan."),
        ("variables: {plan: {matches: ^'^B'}}", "plan does not match|- ^B|+ A plan."),
        ("variables: {ok: ^{contains: x}}", 'ok is no text|- "a text"|+ true'),
    ],
)
def test_what_the_whole_is_not(tmp_path: Path, expected: str, told_: str) -> None:
    """One expectation that does not hold: its place, a sentence, minus for what was expected and plus for what is."""
    expectation, place = placed(expected, 5, 6)
    head, *lines = told_.split("|")
    assert told(tmp_path, f"{GOOD}\nexpect:\n  {expectation}") == [
        place + head,
        *(f"    {line}" for line in lines),
    ]


@pytest.mark.parametrize(
    ("expected", "told_"),
    [
        ("turn: 1, sent: ^X", 'what anna is sent does not contain "X"|- X|+ You are Anna.|+|+ T'),
        ("turn: 1, sent: [T, ^X]", 'what anna is sent does not contain "X"|- X|+ You are Anna.|+|+ T'),
        ("turn: 1, not_sent: ^are A", 'what anna is sent contains "are A"|+ You are Anna.'),
        ("turn: 1, system: ^Ben", 'the system prompt of anna does not contain "Ben"|- Ben|+ You are Anna.'),
        ("turn: 1, system: {starts: ^I}", "the system prompt of anna begins otherwise|- I|+ Y"),
        ("turn: 1, messages: ^[{assistant: T}]", "the order of the messages is not as expected|- assistant|+ user"),
        ("turn: 1, messages: [{user: ^X}]", "message 1 is not as expected|- X|+ T"),
        ("turn: 1, messages: [{user: {lacks: ^T}}]", 'message 1 contains "T"|+ T'),
        ("turn: 1, heard: ^''", "what is heard of anna is not as expected|- (empty)|+ A plan."),
        ("turn: 1, failed: ^true", "the ask of anna came out otherwise: there is a reply"),
        ("turn: 2, data: ^{ok: false}", 'the data of ben is not as expected|  {|-   "ok": false|+   "ok": true|  }'),
        ("turn: 2, offered: ^[anna]", 'who can be chosen is not as expected|- [|-   "anna"|- ]|+ null'),
        ("turn: ^3, sent: T", "there is no turn 3"),
        ("role: anna, ask: ^2, sent: T", "anna is asked once"),
        ("role: ^'anna#2', sent: T", "anna#2 is asked never"),
    ],
)
def test_what_an_ask_is_not(tmp_path: Path, expected: str, told_: str) -> None:
    """Of one ask, by its turn or its role."""
    expectation, place = placed(expected, 6, 11)
    head, *lines = told_.split("|")
    assert told(tmp_path, f"{GOOD}\nexpect:\n  asks:\n    - {{{expectation}}}") == [
        place + head,
        *(f"    {line}" for line in lines),
    ]


def test_failures_are_expected_by_kind(tmp_path: Path) -> None:
    """A repair is an ask of its own, and says why it came to be."""
    replies = "replies: {anna: [{error: timeout}], ben: [no, {data: {ok: true}}]}"
    asks = "{role: ben, ask: 1, failed: malformed, data: null, heard: ''}, {role: ben, ask: 2, sent: does not fit}"
    assert told(tmp_path, f"{replies}\nexpect: {{asks: [{{turn: 1, failed: timeout}}, {asks}]}}") == []
    wrong = f"{replies}\nexpect: {{asks: [{{turn: 1, failed: server}}, {{turn: 2, failed: malformed}}]}}"
    assert told(tmp_path, wrong) == [
        "4:39: why there is no reply is not as expected", "    - server", "    + timeout",
        "4:66: the ask of ben came out otherwise: there is a reply",
    ]  # fmt: skip
    none = f"{replies}\nexpect: {{asks: [{{turn: 1, failed: false}}]}}"
    assert told(tmp_path, none) == ["4:39: the ask of anna came out otherwise: The script says: timeout."]


def test_all_that_is_wrong_is_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Not only the first of it."""
    lines = told(tmp_path, f"expect: {{result: x, turns: 9, speakers: []}}\n{GOOD}")
    assert [line for line in lines if line[0].isdigit()] == [
        "3:22: the result is not as expected",
        "3:32: the number of turns is not as expected",
        "3:45: who speaks is not as expected",
    ]
    assert "    - (none)" in lines


def test_a_missing_reply_is_told_with_what_was_asked(tmp_path: Path) -> None:
    """And nothing else is: what would have come is not known."""
    case = "replies: {anna: [A plan.]}\nexpect: {turns: 9}"
    assert told(tmp_path, case) == [
        "3:14: there is no reply of ben, which is asked for the 1st time, at turns.1",
        "    asked so far: anna, ben",
        "    it is sent last:",
        "      T",
        "",
        "      anna: A plan.",
    ]
    more = "replies:\n  anna: A\n  ben: [x]"
    assert told(tmp_path, more)[0] == (
        "5:12: there is no further reply of ben, which is asked for the 2nd time, at turns.1#2"
    )
    assert told(tmp_path, "expect: {turns: 0}")[0].startswith("2:11: there is no reply of anna")


def test_a_reply_that_nobody_asked_for_is_told(tmp_path: Path) -> None:
    """At the reply, with how it ended before."""
    case = "replies:\n  anna: [DONE, More.]\n  ben: [{data: {ok: true}}]"
    assert told(tmp_path, case) == [
        "4:20: nobody asked for this reply of anna; it ended after 1 turn (stop_token: anna said DONE)",
        "5:13: nobody asked for this reply of ben; it ended after 1 turn (stop_token: anna said DONE)",
    ]


def test_a_failure_that_was_not_expected_is_told(tmp_path: Path) -> None:
    """A case that says nothing of its end expects no failure."""
    case = "replies: {anna: {error: server, message: Broken.}, ben: {error: server, message: It broke.}}"
    assert told(tmp_path, case) == [
        "2:11: it failed, and no failure was expected: every turn was taken; no turn succeeded, the last one: It broke."
    ]
    assert told(tmp_path, f"{case}\nexpect: {{ended: failed}}") == []
    assert told(tmp_path, f"{case}\nexpect: {{ended: {{status: failed, reason: turns_done}}}}") == []


def test_a_reason_alone_is_no_failure(tmp_path: Path) -> None:
    """Where nothing succeeded the reason says less than the status; what failed by an error needs no more words."""
    case = "replies: {anna: {error: server, message: Broken.}, ben: {error: server, message: It broke.}}"
    found = told(tmp_path, f"{case}\nexpect: {{ended: turns_done}}")
    assert found[0].endswith("it ended otherwise")
    assert [line.strip() for line in found[1:3]] == [
        "- turns_done",
        "+ failed (turns_done): every turn was taken; no turn succeeded, the last one: It broke.",
    ]
    stopped = TWO.replace("repairs: 1", "repairs: 1, on_error: stop")
    assert told(tmp_path, "replies: {anna: {error: server}}\nexpect: {ended: error}", stopped) == []


def test_a_template_that_fails_is_told_with_its_place(tmp_path: Path) -> None:
    """In a request, in an expression, or before the first turn."""
    asked = TWO.replace("You are Anna.", '"{{ last.data.x.y.z[0] + 1 }}"')
    lines = told(tmp_path, "replies: {anna: A, ben: {data: {ok: true}}}", asked)
    assert lines[0] == "2:11: a template fails"
    assert "p.yaml:5:" in lines[1]
    early = TWO.replace("limits: {repairs: 1}", "limits: {max_turns: '{{ task }}'}")
    lines = told(tmp_path, "replies: {anna: A}", early)
    assert lines[0] == "2:11: a template fails"
    assert "whole number" in lines[1]
    expected = "replies: {}\nexpect: {ended: error}"
    assert told(tmp_path, expected, asked) == []


def test_what_never_ends_is_told(tmp_path: Path) -> None:
    """A reply that stands for every ask can keep a conversation going for ever."""
    endless = (
        "name: p\nroles: {anna: {model: m}}\nopening: Hi.\nturns: [{repeat: [anna]}]\nlimits: {max_turns: 100000}\n"
    )
    assert told(tmp_path, "replies: {anna: A}", endless) == [
        "2:11: it does not end: 1,000 asks were answered, and more were to come"
    ]


def test_a_name_that_is_not_set_at_the_end_is_told(tmp_path: Path) -> None:
    """For no value at all there is none to compare."""
    case = "replies: {anna: DONE}\nexpect: {variables: {plan: DONE, ok: true}}"
    assert told(tmp_path, case) == ["4:42: ok is not set at the end", "    - true"]


def test_each_case_begins_anew(tmp_path: Path) -> None:
    """Nothing of one is left in the next."""
    read = suite(tmp_path, f"cases:\n  - name: one\n    {GOOD}\n  - name: two\n    {GOOD}\n")
    assert [play(read, index).passed for index in (0, 1, 0)] == [True, True, True]
    assert [play(read, index).line for index in (0, 1)] == [2, 4]
