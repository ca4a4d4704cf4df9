"""The last line of a run tells of replies that were cut, repeat an earlier one, or go in circles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_gc.protocol import Cut, Reply
from llm_gc.reports import figures
from llm_gc.reports.figures import has_loop, signs
from tests.commands import llm_gc
from tests.standin import Model, Say, StandIn
from tests.talks import answer_all, failed, talk
from tests.transcript.test_transcript import transcript

WORDS = "The town could keep its station, paint the doors and ask the baker whether he wants the hall for his bread."


def told(turns: list[Any], *answers: str | Reply, **keys: Any) -> list[str]:
    """The signs in a conversation in which this is answered."""
    conversation = talk(turns, **keys)
    answer_all(conversation, *answers)
    return list(signs(transcript(conversation)))


def test_a_good_conversation_has_none() -> None:
    """Nor does one whose turns fail, or whose role says the same where it was told to."""
    assert told(["anna", "ben"], WORDS, "I would rather sell it.") == []
    assert told(["anna", "ben"], failed(), failed()) == []


def test_cut_replies_are_counted() -> None:
    """By whatever they were cut; one that failed for that has failed."""
    cut = Cut("reply_time", "It took too long.")
    assert told(["anna", "ben"], Reply("One", done_reason="length"), Reply("Two", cut_by=cut)) == ["2 replies cut"]
    assert told([{"say": "anna", "format": {"a": {}}}, "ben"], Reply('{"a', cut_by=cut), WORDS) == []


def test_repeated_replies_are_counted() -> None:
    """Whoever said it before, white space aside."""
    found = told([{"repeat": ["anna", "ben"], "times": 2}], "Yes, do.", "Yes,\n do. ", "No.", "Yes, do.")
    assert found == ["2 replies repeated an earlier one word for word"]


def test_what_is_said_side_by_side_or_in_a_structure_repeats_nothing() -> None:
    """Copies of a role do not hear each other, and vote in the same words; so do structured replies."""
    assert told([{"parallel": ["anna"], "times": 3}], "Seven.", "Seven.", "Seven.") == []
    assert told([{"say": "anna", "format": {"a": {}}}] * 2, '{"a": 1}', '{"a": 1}') == []
    both = [{"parallel": ["anna"], "times": 2}, {"say": "ben", "instruction": "And you?"}]
    assert told(both, "Seven.", "Six.", "Seven.") == ["1 reply repeated an earlier one word for word"]


@pytest.mark.parametrize(
    "text",
    [
        f"{WORDS} " * 4,
        f"Well. {'I think so. ' * 10} And so on.",
        "word " * 30,
        "- Paint the doors.\n" * 12,
        "この駅は古い。" * 10,
    ],
)
def test_a_reply_that_goes_in_circles(text: str) -> None:
    """A word, a sentence or a paragraph, in any script, at the end or in the middle."""
    assert has_loop(text)
    assert told(["anna"], text) == ["1 reply went in circles"]


@pytest.mark.parametrize(
    "text",
    [
        "", WORDS, f"{WORDS} " * 3, "No, no, no, no!", "-" * 200, "| --- " * 40, "* * * " * 20,
        "\n".join(f"{n}. Paint door {n}." for n in range(1, 30)),
    ],
)  # fmt: skip
def test_a_reply_that_does_not(text: str) -> None:
    """A list, a rule, the head of a table, a manner of speaking."""
    assert not has_loop(text)


def test_the_last_line_of_a_run_tells_it(tmp_path: Path) -> None:
    """And so does what is shown of it later."""
    talk_ = "roles: {anna: {model: m, prompt: hi, num_ctx: 4096, max_tokens: 40}}"
    turns = "turns: [anna, {say: anna, instruction: And?}]"
    (tmp_path / "t.yaml").write_text(f"name: t\n{talk_}\nopening: Go.\n{turns}\n", encoding="utf-8")
    with StandIn([Model("m")]) as server:
        server.script(Say("so it is " * 40), Say("so it is " * 40))
        run = llm_gc("run", "t.yaml", "--host", server.url, cwd=tmp_path)
    signs_ = "2 replies cut · 1 reply repeated an earlier one word for word · 2 replies went in circles"
    assert run.code == 0
    assert signs_ in run.err
    assert signs_ in llm_gc("show", "last", cwd=tmp_path).err


def test_an_end_tells_over_how_many_answers_a_majority_decided() -> None:
    """Where it makes the result, and some of the answers were none."""
    turns = [{"parallel": ["anna"], "times": 5, "as": "all"}]
    conversation = talk(turns, result="{{ all | majority }}")
    answer_all(conversation, "A", failed(), "B", "A", failed())
    last = figures.summary(transcript(conversation))[0]
    assert last.endswith("every turn was taken; the result is a majority of 2 of 3 answers (2 of 5 gave none)")
    conversation = talk(["anna"], result="{{ said.anna | majority }} {{ 'x' | majority }}")
    answer_all(conversation, "A")
    assert figures.summary(transcript(conversation))[0].endswith("a majority of 1 of 1 answer and 1 of 1 answer")
    conversation = talk(["anna"], result="{{ last }}")
    answer_all(conversation, "A")
    assert "majority" not in figures.summary(transcript(conversation))[0]
