"""Stop tokens: what counts as said, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.language.pipeline import Stop
from llm_gc.language.stop_tokens import says
from llm_gc.protocol import Reply
from tests.talks import answer_all, failed, talk


def stop(token: str = "APPROVED", match: str = "line") -> Stop:
    """Return a stop."""
    return Stop.model_validate({"token": token, "match": match})


@pytest.mark.parametrize(
    "content",
    [
        "APPROVED",
        "All is well.\n\nAPPROVED",
        "APPROVED\n\nThe plan is good.",
        "  **APPROVED**  ",
        "**APPROVED.**",
        "- APPROVED!",
        "## APPROVED",
        "> `APPROVED`",
        '"APPROVED"',
        "text\r\nAPPROVED\r\n",
        "```\ncode\n```\nAPPROVED",
        "APPROVED。",
        "APPROVED！",
        "「APPROVED」",
        "«APPROVED»",
        "APPROVED؟",
        "APPROVED।",
        "APPROVED\u00a0",
        "\u200bAPPROVED\ufeff",
        "✅ APPROVED",
        "APPROVED ✅",
        "APPROVED ✔\ufe0f",
        "👩\u200d🚀 APPROVED",
        "• APPROVED",
        "→ APPROVED",
        "1. APPROVED",
        "(2) APPROVED",
        "**3.** APPROVED",
        "1.2. **APPROVED**",
        "1、APPROVED",
        "1\ufe0f\u20e3 APPROVED",
        "- 4) `APPROVED`.",
        "APPROVED<|im_end|>",
        "<|im_start|>APPROVED.</s>",
        "APPROVED.<｜end▁of▁sentence｜>\n",
        "[INST] APPROVED [/INST]",
    ],
)
def test_a_line_that_is_the_token(content: str) -> None:
    """What is neither letter nor digit, the number of a list and control tokens do not matter around it."""
    assert says(stop(), content)


@pytest.mark.parametrize(
    "content",
    [
        "This is APPROVED by me.",
        "APPROVED: yes",
        "NOT APPROVED",
        "approved",
        "UNAPPROVED",
        "APPROVED APPROVED",
        "```\nAPPROVED\n```",
        "~~~text\nAPPROVED\n~~~",
        "````\n```\nAPPROVED\n````",
        "```python\nprint()\nAPPROVED",
        "",
        "1 APPROVED",
        "1.APPROVED",
        "APPROVED 1.",
        "ＡPPROVED",
        "APPROVED\u0301",
        "APP<|im_end|>ROVED",
        "<|APPROVED|>",
    ],
)
def test_a_line_that_is_not(content: str) -> None:
    """The word in a sentence, in other letters, or inside a code fence is only a word."""
    assert not says(stop(), content)


def test_contains_and_regex() -> None:
    """The other two ways look anywhere."""
    assert says(stop(match="contains"), "This is APPROVED by me.")
    assert not says(stop(match="contains"), "This is approved by me.")
    assert says(stop(r"score:\s*(9|10)\b", "regex"), "My score: 10.")
    assert not says(stop(r"score:\s*(9|10)\b", "regex"), "My score: 8.")


def test_a_token_of_marks_alone_is_found() -> None:
    """A token that is nothing but punctuation is compared as it is."""
    assert says(stop("---"), "text\n---\n")
    assert not says(stop("---"), "text\n***\n")


@pytest.mark.parametrize(
    ("token", "line", "is_said"),
    [
        ("**Fertig!**", "Fertig", True),
        ("1. FERTIG", "FERTIG.", True),
        ("FERTIG", "2) FERTIG", True),
        ("完成", "完成。", True),
        ("完成", "「完成」✅", True),
        ("हो गया", "हो गया।", True),
        ("हो गया", "हो गय", False),
        ("10", "10.", True),
        ("10", "1. 10", True),
        ("10", "10. 11", False),
        ("✅", "✅", True),
        ("✅", "✅ APPROVED", False),
        ("[END]", "END", True),
        ("</s>", "text </s>", False),
        ("</s>", " </s> ", True),
        ("A<|x|>B", "A<|x|>B!", True),
        ("A<|x|>B", "A<|y|>B!", False),
    ],
)
def test_the_token_is_stripped_as_the_line_is(token: str, line: str, is_said: bool) -> None:
    """What an author writes around a word does not matter either; a token without a word is compared as it is."""
    assert says(stop(token), f"Well.\n{line}\nBye.") is is_said


def outcome(replies: list[str | Reply], stops: list[Any], **keys: Any) -> tuple[str, int]:
    """Return the reason and the number of turns of a conversation of three rounds."""
    conversation = talk([{"repeat": ["anna", "ben"], "times": 3}], stop=stops, **keys)
    count = len(answer_all(conversation, *replies))
    assert conversation.outcome is not None
    return conversation.outcome.reason, count


def test_a_token_ends_the_conversation_when_it_is_said() -> None:
    """The turn that says it is the last."""
    assert outcome(["plan", "fine\nAPPROVED"], ["APPROVED"]) == ("stop_token", 2)


def test_a_token_behind_ones_own_label_is_said() -> None:
    """Small models like to write their name first; the others are not sent it, and it hides no token."""
    assert outcome(["anna: DONE"], ["DONE"]) == ("stop_token", 1)
    assert outcome(["ben: DONE"], ["DONE"]) == ("turns_done", 6)


def test_only_the_role_that_is_named_can_say_it() -> None:
    """Another's word is only a word."""
    assert outcome(["APPROVED"], [{"token": "APPROVED", "role": "ben"}]) == ("turns_done", 6)


def test_the_task_cannot_say_it() -> None:
    """Only replies are looked at, never the opening or a prompt."""
    roles = {"anna": {"prompt": "APPROVED"}, "ben": {}}
    assert outcome([], ["APPROVED"], opening="Begin.\nAPPROVED", roles=roles) == ("turns_done", 6)


def test_thinking_and_failed_replies_cannot_say_it() -> None:
    """What nobody hears ends nothing."""
    thinking = Reply("fine", thinking="APPROVED", done_reason="stop")
    assert outcome([thinking, failed(content="APPROVED")], ["APPROVED"]) == ("turns_done", 6)


def test_an_expression_ends_it_when_it_holds() -> None:
    """``when`` is looked at after each message that is heard, over names as they then are."""
    assert outcome(["one", "two", "3"], [{"when": "last.content | length < 3"}]) == ("stop_token", 3)
    assert outcome(["3"], [{"when": "last.content | length < 2", "role": "ben"}]) == ("turns_done", 6)
