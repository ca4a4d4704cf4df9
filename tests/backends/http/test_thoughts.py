"""What a model only thinks is parted from what it says, however the text comes in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gc.backends.http.thinking import Parted, Thoughts

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
    # other tags
    ("<thought>SECRET plan.</thought>\n\nHello there.", "Hello there.", "SECRET plan."),
    ("[THINK]SECRET plan.[/THINK]Hello there.", "Hello there.", "SECRET plan."),
    ("<seed:think>SECRET plan.</seed:think>Hello there.", "Hello there.", "SECRET plan."),
    ("<reasoning>SECRET plan</reasoning>\nHello there.", "Hello there.", "SECRET plan"),
    ("<Think>SECRET</THINK>\nHello there.", "Hello there.", "SECRET"),
    ("<|begin_of_thought|>SECRET<|end_of_thought|>\nHello.", "Hello.", "SECRET"),
    ("<|START_THINKING|>SECRET<|END_THINKING|>Hello.", "Hello.", "SECRET"),
    ("◁think▷SECRET◁/think▷Hello.", "Hello.", "SECRET"),
    ("<unused94>thought\nSECRET<unused95>Hello.", "Hello.", "SECRET"),
    ("[THINK]SECRET", "", "SECRET"),
    ("<think>SECRET</think><think> plan</think><think> say hi</think>\nHello.", "Hello.", "SECRET plan say hi"),
    ("[thinking] Hello [THINKER]", "[thinking] Hello [THINKER]", ""),
    # Gemma's channels
    ("<|channel>thought\nSECRET plan.\n<channel|>Hello there.", "Hello there.", "SECRET plan.\n"),
    ("<|channel>thought\n<channel|>Hello there.", "Hello there.", ""),
    ("Well: <|channel>thought\nSECRET", "Well: ", "SECRET"),
    # Harmony's messages
    (
        "<|channel|>analysis<|message|>SECRET plan.<|end|><|start|>assistant<|channel|>final<|message|>Hello there.",
        "Hello there.",
        "SECRET plan.",
    ),
    (
        (
            "<|start|>assistant<|channel|>analysis<|message|>SECRET<|end|>\n"
            "<|start|>assistant<|channel|>commentary to=functions.x <|constrain|>json<|message|>{}<|call|>"
            "<|start|>assistant<|channel|>final<|message|>Hello.<|return|>"
        ),
        "Hello.",
        "SECRET{}",
    ),
    ("<|channel|>analysis<|message|>SECRET<|channel|>final<|message|>Hello.", "Hello.", "SECRET"),
    ("<|channel|>analysis<|message|>SECRET, and cut", "", "SECRET, and cut"),
    ("<|channel|>final<|message|>Hello.<|end|>", "Hello.", ""),
    ("<|start|>assistant<|message|>Hello.<|end|>", "Hello.", ""),
    ("SECRET plan.<|channel|>final<|message|>Hello.", "Hello.", "SECRET plan."),
    ("Hello.<|end|>", "Hello.<|end|>", ""),
    ("`<|channel|>analysis<|message|>` begins it.", "`<|channel|>analysis<|message|>` begins it.", ""),
    ("<|channel|> is a word <|message|>", "<|channel|> is a word <|message|>", ""),
    ("<|start|>assistant, go", "<|start|>assistant, go", ""),
    ("analysisWe need a plan.assistantfinalHello.", "Hello.", "We need a plan."),
    ("analysis of a plan: assistantfinal", "analysis of a plan: assistantfinal", ""),
    # ends alone
    ("SECRET plan: say hi.</think>\n\nHello there.", "Hello there.", "SECRET plan: say hi."),
    ("SECRET plan</think>  \nHello there.", "Hello there.", "SECRET plan"),
    ("SECRET plan.</think>Hello there.", "Hello there.", "SECRET plan."),
    ("SECRET plan: say hi</seed:think>", "", "SECRET plan: say hi"),
    ("SECRET [/THINK] Hello.", "SECRET [/THINK] Hello.", ""),
    ("SECRET\n[/THINK] Hello.", "Hello.", "SECRET\n"),
    ("SECRET <channel|>Hello.", "Hello.", "SECRET "),
    ("It ends with </think> there.", "It ends with </think> there.", ""),
    ("Write `x</think>\n` at the end.", "Write `x</think>\n` at the end.", ""),
    ("say `a` and `b` now.</think>\nHello.", "Hello.", "say `a` and `b` now."),
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
    """In one piece, letter by letter, and cut in two anywhere, it reaches the same."""
    assert parted([text]) == (said, thought)
    assert parted(list(text)) == (said, thought)
    assert all(parted([text[:at], text[at:]]) == (said, thought) for at in range(len(text)))


MARKS = [
    "<think>", "</think>", "<thinking>", "</thinking>", "[THINK]", "[/THINK]", "<|channel>", "thought", "<channel|>",
    "<|start|>", "assistant", "<|channel|>", "analysis", "final", "<|message|>", "<|end|>", "<|constrain|>", "`", "```",
    "\n", " ", "a", "A", ".", "<", "<th", "<|", ">", " to=functions.x", "/", "{", " " * 9,
]  # fmt: skip


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


@pytest.mark.parametrize(
    "text",
    [
        'SECRET.</think>{"x": "b"}',
        '<|channel|>analysis<|message|>SECRET.<|end|><|start|>assistant<|channel|>final<|message|>{"x": "b"}<|return|>',
        '<|channel>thought\nSECRET.<channel|>{"x": "b"}',
    ],
)
def test_a_thought_in_front_of_a_structured_reply_is_parted(text: str) -> None:
    """Whatever its marks are."""
    assert parted([text], anywhere=False) == ('{"x": "b"}', "SECRET.")


@pytest.mark.parametrize(
    "text", ['{"x": "a.</think>"}', '{"x": "<|channel|>final<|message|>"}', '```json\n"</think>\n']
)
def test_an_end_in_data_is_none(text: str) -> None:
    """What the data hold is not looked at."""
    assert parted([text], anywhere=False) == (text, "")


@pytest.mark.parametrize(
    "unit",
    [
        "<think></think>",
        "</think>",
        "a </think> b",
        "<|channel|>",
        "<|start|>assistant",
        "[THINK]",
        "`",
        "<",
        "a<think>",
    ],
)
def test_a_long_text_of_marks_is_read_once(unit: str) -> None:
    """Nothing is looked at again and again: 3 MB of marks take a moment, in one piece as in many."""
    text = unit * (3_000_000 // len(unit))
    whole = parted([text])
    assert sum(map(len, whole)) <= len(text)
    short = text[:60_000]
    assert parted([short]) == parted([short[at : at + 7] for at in range(0, len(short), 7)])


def test_blanks_in_front_are_passed_over_where_asked() -> None:
    """A model that continues after ``Anna:`` begins with a blank, which is none of its words."""
    assert parted([" ", "\n A", " b "], trim=True) == ("A b ", "")
