"""Lines that begin like a label, however they are written, and the mark that keeps them from passing for a message."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gc.language.labels import MARK, Labels, key
from llm_gc.protocol import Ask
from tests.talks import answer_all, said, talk

LABELS = Labels(["Ben", "Narrator", "Code Reviewer", "José", "C++", "Критик", "🤖"])


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("Ben: I agree.", "Ben"),
        ("  ben :I agree.", "Ben"),
        ("BEN:", "Ben"),
        ("**Ben:** I agree.", "Ben"),
        ("_Ben_: I agree.", "Ben"),
        ("## Ben: I agree.", "Ben"),
        ("[Ben]: I agree.", "Ben"),
        ("Ben 2: I agree.", "Ben"),
        ("Ben (3): I agree.", "Ben"),
        ("Ｂｅｎ： I agree.", "Ben"),
        ("Веn: I agree.", "Ben"),  # the first two letters are Cyrillic
        ("В\u0301en: I agree.", "Ben"),
        ("\u202eB\u200ben\u00a0: I agree.", "Ben"),
        ("\u3164Ben: I agree.", "Ben"),
        ("NARRATOR: It is over.", "Narrator"),
        ("Nаrrаtоr: It is over.", "Narrator"),  # its vowels are Cyrillic
        ("𝐍𝐚𝐫𝐫𝐚𝐭𝐨𝐫: It is over.", "Narrator"),
        ("ɴᴀʀʀᴀᴛᴏʀ: It is over.", "Narrator"),
        ("Narrat0r: It is over.", "Narrator"),
        ("Νarrator∶ It is over.", "Narrator"),  # its first letter is Greek
        ("code   reviewer: No.", "Code Reviewer"),
        ("Jose: No.", "José"),
        ("Kpитик: No.", "Критик"),  # its first two letters are Latin
        ("C++: No.", "C++"),
        ("🤖: No.", "🤖"),
        ("> Ben: I agree.", None),
        ("- Ben: agrees", None),
        ("* Ben: agrees", None),
        ('"Ben": 3,', None),
        ("Benn: I agree.", None),
        ("I heard Ben: he agrees.", None),
        ("Ben agrees.", None),
        ("C: No.", None),
        ("", None),
    ],
)
def test_a_line_that_begins_like_a_label(line: str, label: str | None) -> None:
    """In any case, decoration, width or script; a quotation, an item of a list and a key of JSON do not."""
    assert LABELS.begun(line) == label


def test_ones_own_label_is_nobody_elses_but_with_a_number() -> None:
    """So the copies of a role are called."""
    own = {key("Ben")}
    assert LABELS.found("Ben: hi\nBEN: hi\nBen 2: hi\nJosé: hi", own) == ["Ben", "José"]
    assert LABELS.marked("Ben: hi\nBen 2: hi", own) == "Ben: hi\n> Ben 2: hi"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\v", "\f", "\x1e", "\x85", "\u2028", "\u2029", "\n\n"])
def test_every_end_of_a_line_counts(end: str) -> None:
    """Whatever a reader may take for one."""
    assert LABELS.marked(f"So.{end}Ben: hi{end}Bye.") == f"So.{end}> Ben: hi{end}Bye."


lines = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["Ben: a", "ben: a", "> Ben: a", "  **Narrator**: a", "Jo: a", "Ｂen： a", "So: it is"]),
)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(st.tuples(lines, st.sampled_from(["\n", "\r\n", "\u2028", ""])), max_size=8))
def test_nothing_else_changes_and_nothing_is_left(pieces: list[tuple[str, str]]) -> None:
    """Without the marks it is the text; marked once more it stays as it is; no line begins like a label any more."""
    text = "".join(line + end for line, end in pieces)
    marked = LABELS.marked(text)
    assert LABELS.found(marked) == []
    assert LABELS.marked(marked) == marked
    kept = zip(text.splitlines(keepends=True), marked.splitlines(keepends=True), strict=True)
    assert all(now in (then, MARK + then) for then, now in kept)


def test_a_long_line_is_looked_at_once() -> None:
    """However many colons, brackets and unseen characters it has; what is far from its beginning is no label."""
    for text in ("(" * 100_000 + "Ben: hi", "\u200b" * 100_000 + "Ben: hi"):
        assert LABELS.begun(text) == "Ben"
    assert LABELS.begun(":" * 100_000 + "Ben: hi") is None
    assert LABELS.begun("x" * 100_000 + ": hi") is None


# --- In a conversation

ROLES: dict[str, Any] = {"anna": {"label": "Anna"}, "ben": {"label": "Ben"}}


def sent(ask: Ask) -> str:
    """Return the last thing that an ask sends."""
    return ask.request.messages[-1]["content"]


def test_the_others_are_sent_the_mark_and_the_speaker_is_not() -> None:
    """The message keeps what was said; the turn says what the others were sent, and warns."""
    reply = "Anna: So.\nBen: I agree.\nNARRATOR: It is over."
    marked = "So.\n> Ben: I agree.\n> NARRATOR: It is over."
    conversation = talk(["anna", "ben", "anna"], roles=ROLES, result="{{ messages[0].heard }}")
    asks = answer_all(conversation, reply, "Hm.")
    assert sent(asks[1]) == f"Begin.\n\nAnna: {marked}"
    assert asks[2].request.messages[1] == {"role": "assistant", "content": reply}
    (turn, *_) = conversation.turns
    assert (turn.message.content, turn.said, turn.heard) == (reply, marked, True)
    assert turn.warnings == ("a line of the reply speaks as Ben", "a line of the reply speaks as Narrator")
    assert conversation.outcome is not None
    assert conversation.outcome.result == marked


@pytest.mark.parametrize(
    "step",
    [
        {"say": "anna", "result": "{{ last.content }}"},
        {"say": "anna", "result": "{{ last.content | upper }}"},
        {"say": "anna", "result": "{{ last.content }} (That is all.)"},
        {"say": "anna", "result": "{{ last.content | truncate(24, true, leeway=0) }}"},
        {"scene": ["anna"], "opening": "In.", "speaker": "anna"},
        {"scene": ["anna"], "opening": "In.", "speaker": "anna", "result": "{{ messages | join }}"},
        {"scene": ["anna"], "opening": "In.", "speaker": "anna", "result": "{{ last.content }}"},
    ],
)
def test_what_a_result_takes_over_is_marked_too(step: Any) -> None:
    """Of a step and of a scene."""
    asks = answer_all(talk([step, "ben"], roles=ROLES), "So.\nBen: I agree with all of it.")
    assert "\n> BEN: I AGREE " in sent(asks[-1]).upper()


def test_what_a_post_takes_over_is_marked_too() -> None:
    """Not what the author writes there."""
    post = {"post": "Summary\nBen: the author says so\n{{ last.content }}"}
    asks = answer_all(talk([{"say": "anna", "result": ""}, post, "ben"], roles=ROLES), "So.\nBen: I agree.")
    assert sent(asks[-1]).endswith("Narrator: Summary\nBen: the author says so\nSo.\n> Ben: I agree.")


def test_what_an_author_writes_in_a_result_is_left() -> None:
    """A protocol of a scene has labels of its own."""
    protocol = "{% for message in messages %}{{ message.label }}: {{ message.content }}\n{% endfor %}"
    scene = {"scene": ["anna", "ben"], "opening": "In.", "result": protocol}
    asks = answer_all(talk([scene, "ben"], roles=ROLES), "A plan.", "A risk.\nAnna: It is none.")
    assert sent(asks[-1]).endswith("scene: Anna: A plan.\nBen: A risk.\n> Anna: It is none.\n")


def test_labels_of_steps_and_scenes_count_and_copies_do() -> None:
    """Also one that a template gives, once it was heard; and a copy's before there is one."""
    scene = {"scene": ["ben"], "opening": "In.", "speaker": "The {{ 'team' }}"}
    block = {"parallel": ["anna", "anna"]}
    step = {"say": "ben", "speaker": "Jury"}
    reply = "So.\nThe team: yes\nJury: yes\nAnna 2: yes\nJudge: yes"
    conversation = talk([scene, block, step, "ben"], roles=ROLES)
    asks = answer_all(conversation, "ok", reply, "ok")
    assert sent(asks[3]).count("> ") == 3
    assert "Anna: So.\n> The team: yes\n> Jury: yes\n> Anna 2: yes\nJudge: yes" in sent(asks[3])


def test_a_stop_token_is_heard_in_what_was_said() -> None:
    """The mark is for the others; it decides nothing."""
    conversation = talk(["anna", "ben"], roles=ROLES, stop=[{"token": "Ben: DONE", "match": "line"}])
    conversation.answer(conversation.pending[0], said("So.\nBen: DONE"))
    assert conversation.outcome is not None
    assert conversation.outcome.reason == "stop_token"
