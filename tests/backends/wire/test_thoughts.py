"""What a model only thinks is parted from what it says, however the text comes in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gc.backends.wire.thoughts import Parted, Thoughts

CASES = [
    ("<think>Hm.</think>\n\nYes.", "Yes.", "Hm."),
    ("\n<thinking>Hm.</thinking>Yes.", "\nYes.", "Hm."),
    ("<think>Hm.", "", "Hm."),
    ("<think></think>Yes.", "Yes.", ""),
    ("Yes.\n<think>Or no?</think>\nNo.", "Yes.\n\nNo.", "Or no?"),
    ("Yes. <think>Or no?</think> No.", "Yes.  No.", "Or no?"),
    ("Yes.\n  <think>Or no?", "Yes.\n  ", "Or no?"),
    ("a<think>b", "a<think>b", ""),
    ("<think>a</think>b<think>c</think>d", "bd", "ac"),
    ("<think>a <b> </thin k> </think>c", "c", "a <b> </thin k> "),
    ("Write `<think>` in front.", "Write `<think>` in front.", ""),
    ("```\n<think>x</think>\n```\nDone.", "```\n<think>x</think>\n```\nDone.", ""),
    ("```\na\n```\n<think>x</think>Done.", "```\na\n```\nDone.", "x"),
    ("1 < 2 and <thin air>", "1 < 2 and <thin air>", ""),
    ("it ends in <thi", "it ends in <thi", ""),
    ("a </think> b", "a </think> b", ""),
    ("", "", ""),
    ("Hm,\nwell.\n</think>\n\nYes.", "Yes.", "Hm,\nwell.\n"),
    ("</thinking>Yes.", "Yes.", ""),
    ("<think>Hm.</think>Yes.\n</think>\nNo.", "Yes.\n</think>\nNo.", "Hm."),
    ("```\n</think>\n```", "```\n</think>\n```", ""),
    ("Hm.\n</think>\nYes.\n<think>Or?</think>", "Yes.\n", "Hm.\nOr?"),
]


def parted(pieces: list[str], **how: bool) -> tuple[str, str]:
    """All that is said, and all that is thought."""
    thoughts = Thoughts(**how)
    said = thought = ""
    for part in [thoughts.feed(piece) for piece in pieces] + [thoughts.finish()]:
        if part.back:
            said, thought = "", thought + said
        said, thought = said + part.said, thought + part.thought
    return said, thought


@pytest.mark.parametrize(("text", "said", "thought"), CASES)
def test_a_text_is_parted(text: str, said: str, thought: str) -> None:
    """In one piece, letter by letter, and cut in two anywhere, it comes to the same."""
    assert parted([text]) == (said, thought)
    assert parted(list(text)) == (said, thought)
    assert all(parted([text[:at], text[at:]]) == (said, thought) for at in range(len(text)))


MARKS = ["<think>", "</think>", "<thinking>", "</thinking>", "`", "```", "\n", " ", "a", "<", "<th", ">", "/"]


@given(st.lists(st.sampled_from(MARKS), max_size=14), st.data(), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=300)
def test_where_a_text_is_cut_makes_no_difference(
    marks: list[str], data: st.DataObject, anywhere: bool, trim: bool
) -> None:
    """However it comes in, the same is said and the same is thought."""
    text = "".join(marks)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    pieces = [text[at:end] for at, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = parted([text], anywhere=anywhere, trim=trim)
    assert parted(pieces, anywhere=anywhere, trim=trim) == whole
    assert parted(list(text), anywhere=anywhere, trim=trim) == whole


def test_what_is_known_is_passed_on_at_once() -> None:
    """Text streams as it comes; only what may begin a tag waits, and a thought streams as a thought."""
    thoughts = Thoughts()
    assert thoughts.feed("Yes ") == Parted("Yes ")
    assert thoughts.feed("and <") == Parted("and ")
    assert thoughts.feed("no") == Parted("<no")
    assert thoughts.feed("\n<think>H") == Parted("\n", "H")
    assert thoughts.feed("m</th") == Parted("", "m")
    assert thoughts.feed("ink>!") == Parted("!")


def test_a_structured_reply_keeps_its_texts() -> None:
    """There only a block in front is a thought; a tag inside of a string is part of the data."""
    assert parted(['<think>a</think>{"x": "<think>b</think>"}'], anywhere=False) == ('{"x": "<think>b</think>"}', "a")


def test_blanks_in_front_are_passed_over_where_asked() -> None:
    """A model that goes on after ``Anna:`` begins with a blank, which is none of its words."""
    assert parted([" ", "\n A", " b "], trim=True) == ("A b ", "")
