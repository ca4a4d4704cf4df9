"""The page as it is written: whole, of one piece, and with nothing in it that anybody but us has made live."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from llm_gc.reports import figures
from llm_gc.reports.html import page
from llm_gc.reports.html.views import Views
from llm_gc.transcript.encode import plain
from llm_gc.transcript.records import ContextRecord, Parent, Resumption, Transcript
from tests.shown import CODE, THOUGHTS, hostile, long, rich
from tests.talks import answer_all, talk
from tests.transcript.test_transcript import transcript

NASTY = [
    "<script>window.hurt = 1</script>",
    "</script><script>window.hurt = 2</script>",
    '<img src="x" onerror="window.hurt = 3">',
    "</article></main></style><h1>Mine</h1>",
    "<!-- <script> --> {{ 7 * 7 }} {% raw %}",
    "\x1b[31mred\x1b]0;title\x07 \u202egnorw \u2028\u2029",
]


class Elements(HTMLParser):
    """The elements of a page, and what is in those whose content is no HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in self.raw:
            self.raw[tag].append("")
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            self._open.remove(tag)

    def handle_data(self, data: str) -> None:
        if self._open:
            self.raw[self._open[-1]][-1] += data
        else:
            self.text += data


def made(made_from: Transcript) -> str:
    """Return the page as one text."""
    return "".join(page(made_from))


def data_of(html: str) -> Any:
    """Return the data that the page's script reads."""
    return json.loads(Elements(html).raw["script"][0])


def test_the_policy_names_the_one_style_and_the_one_script() -> None:
    """By their hashes; nothing else may run, load, or be sent."""
    found = Elements(made(rich()))
    policy = next(a["content"] for tag, a in found.tags if a.get("http-equiv") == "Content-Security-Policy") or ""
    rules = {name: words for name, *words in (rule.split() for rule in policy.split(";"))}
    assert rules["default-src"] == ["'none'"]
    (style,), (_, script) = found.raw["style"], found.raw["script"]
    for rule, text in (("style-src", style), ("script-src", script)):
        (digest,) = rules[rule]
        assert digest == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    assert rules["img-src"] == ["data:"]
    assert not {"connect-src", "font-src", "frame-src", "media-src"} & set(rules)


@pytest.mark.parametrize("told", [rich(), hostile(*NASTY)], ids=["rich", "hostile"])
def test_nothing_is_asked_for_and_nothing_handled_in_attributes(told: Transcript) -> None:
    """No address but links within the page and those that models wrote, no handler, no style in an attribute."""
    found = Elements(made(told))
    for tag, attributes in found.tags:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("style", "src", "srcset", "action")
        ]
        href = attributes.get("href")
        assert href is None or href.startswith("#") or (tag, href) == ("link", "data:,")
    assert [a.get("type") for tag, a in found.tags if tag == "script"] == ["application/json", None]


def test_hostile_texts_are_shown_as_they_are() -> None:
    """In replies, thoughts, labels and inputs; marks and control characters can be seen."""
    html = made(hostile(*NASTY))
    found = Elements(html)
    assert len(found.raw["script"]) == 2
    assert "img" not in {tag for tag, _ in found.tags}
    assert "Mine" not in re.findall(r"<h1>(.*?)</h1>", html)
    assert found.text.count("<script>window.hurt = 1</script>") == 3  # an input, a thought and a reply
    assert "<b>Ben</b>" in found.text
    assert "{{ 7 * 7 }}" in found.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e\ud800-\udfff]", html)


def test_the_data_is_the_record() -> None:
    """The texts, the turns and every request, in a form that no parser of HTML mistakes, also lone surrogates."""
    told = hostile(*NASTY, "lone \udc80 end", "</SCRIPT >")
    html = made(told)
    data = data_of(html)
    assert data["texts"] == plain(told.texts)
    assert [turn["content"] for turn in data["turns"]] == [turn.content for turn in told.turns]
    assert {id_: request["sha256"] for id_, request in data["requests"].items()} == {
        turn.id: turn.request.sha256 for turn in told.turns
    }
    html.encode("utf-8")


def test_every_turn_is_there_once() -> None:
    """Each under a name of its own, to which its row of the time line leads; no id is twice."""
    told = rich()
    found = Elements(made(told))
    ids = [a["id"] for _, a in found.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    turns = [a["id"] for tag, a in found.tags if tag == "article"]
    assert len(turns) == len(told.turns)
    rows = re.findall(r'<li class="r\d"><a href="#(.*?)">', made(told))
    assert sorted(rows) == sorted(filter(None, turns))
    labelled = {a[name] for _, a in found.tags for name in ("aria-labelledby",) if name in a}
    assert labelled <= set(ids)


def test_it_tells_all_of_a_turn() -> None:
    """Thinking, tries, refused tools, what others heard, marks and figures."""
    text = Elements(made(rich())).text
    for words in (
        THOUGHTS,
        "The connection broke off after 12 tokens.",
        '"name": "pytest"',
        "cut by length",
        "no other role heard this",
        "a line of the reply speaks as coder",
        "3 branches side by side",
        "Round 2",
        "turns.4.scene",
        figures.line_of(rich().turns[1]),
    ):
        assert words in text
    assert "import re" in text
    assert CODE.splitlines()[-1].replace("`", "") in text


def test_what_the_others_heard_instead() -> None:
    """Where a step says it, it is beside what was said."""
    conversation = talk([{"say": "anna", "result": "Shortly: {{ last }}"}, "ben"])
    answer_all(conversation, "long words")
    text = Elements(made(transcript(conversation))).text
    assert "What the others heard" in text
    assert "Shortly: long words" in text


def test_tokens_and_times_of_the_roles_are_those_of_the_whole() -> None:
    """Nothing is lost or counted twice."""
    told = rich()
    roles = Views(told, {}).roles(told)
    assert sum(role.prompt for role in roles) == told.totals.tokens.prompt
    assert sum(role.completion for role in roles) == told.totals.tokens.completion
    assert sum(role.seconds for role in roles) == pytest.approx(told.totals.seconds)
    assert sum(role.turns for role in roles) == told.totals.turns
    assert sum(role.failed for role in roles) == told.totals.failed


def test_the_context_is_held_against_the_window() -> None:
    """A column for each turn whose window is known, as high as its tokens have filled it."""
    told = rich()
    svg = made(told).split('<div class="context">')[1].split("</svg>")[0]
    columns = re.findall(r": (\d+) \+ (\d+) of (\d+) tokens</title>.*?class=\"asked\" d=\"M\d+ 100h.8v-([\d.]+)h", svg)
    known = [turn for turn in told.turns if turn.tokens.total]
    assert [(int(p), int(c), int(w)) for p, c, w, _ in columns] == [
        (turn.tokens.prompt, turn.tokens.completion, turn.request.options["num_ctx"]) for turn in known
    ]
    assert [float(height) for *_, height in columns] == [
        pytest.approx(100 * (turn.tokens.prompt or 0) / turn.request.options["num_ctx"], abs=0.06) for turn in known
    ]


def test_a_window_that_nobody_declared_is_the_servers() -> None:
    """A request that names none is held against what the server gave its model."""
    conversation = talk(["anna", "ben"])
    answer_all(conversation)
    told = transcript(conversation)
    assert "tokens of context" not in made(told)
    windows = replace(told, versions=replace(told.versions, windows={"m": 150}))
    assert Elements(made(windows)).text.count("10 % of 150 tokens of context") == 2


def test_what_was_dropped_to_make_room_is_seen() -> None:
    """And the window is the one on record."""
    told = rich()
    turns = [replace(turn, context=ContextRecord(3, 5, 1000, 900)) for turn in told.turns]
    text = Elements(made(replace(told, turns=tuple(turns)))).text
    assert text.count("5 older dropped") == 13  # the turn that failed was heard by nobody
    assert "of 1,000 tokens of context" in text
    assert "5 older messages dropped" in text


def test_a_session_without_times_or_turns() -> None:
    """The stand-in takes no time, and a run may be cut before its first turn: neither has a time line."""
    told = rich()
    still = [replace(t, seconds=0.0, latency=replace(t.latency, total=0.0), attempts=()) for t in told.turns]
    assert 'class="timeline"' not in made(replace(told, turns=tuple(still)))
    assert "Nobody took a turn." in made(replace(told, turns=()))


def test_where_it_comes_from() -> None:
    """The conversation that it was forked from, and when it continued."""
    told = rich()
    resumed = Resumption("2026-01-02T03:05:06.000Z", 2, told.versions)
    text = Elements(made(replace(told, parent=Parent("20260101T000000Z-<b>", 7), resumed=(resumed,)))).text
    assert "20260101T000000Z-<b>, at turn 7" in text
    assert "2026-01-02 03:05:06 UTC" in text
    assert "Forked from" not in Elements(made(told)).text


def test_a_result_of_its_own() -> None:
    """It is rendered; one that a turn has said is only pointed at."""
    assert 'What <a href="#t12">judge said in turn 12</a>.' in made(rich())
    assert "<strong>x</strong>" in made(replace(rich(), result="**x**"))
    assert "&lt;b&gt;" in made(replace(rich(), result={"<b>": 1}))


def test_it_is_written_piece_by_piece() -> None:
    """A long session is never held as a whole page."""
    pieces = list(page(long(50)))
    assert len(pieces) > 10
    assert max(map(len, pieces)) < 0.5 * sum(map(len, pieces))
