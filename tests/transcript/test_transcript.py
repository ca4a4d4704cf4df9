"""Transcripts: what was sent can be rebuilt from them to the byte, and they grow no faster than the conversation."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llm_gc.analysis.document_schemas import transcript_schema
from llm_gc.core import Conversation
from llm_gc.errors import TemplateError
from llm_gc.language.pipeline import Pipeline
from llm_gc.protocol import Attempt, Failure, Latency, Reply, Tokens
from llm_gc.transcript.decode import load, load_journal
from llm_gc.transcript.encode import MessageEncoder, digest, dumps, finish, messages_of, plain
from llm_gc.transcript.records import AttemptRecord, Header, PipelineRecord, Transcript, TurnRecord, Versions
from tests.talks import failed, pipeline, said, talk

Messages = list[dict[str, str]]

HEADER = Header(
    id="20260102T030405Z-test",
    pipeline=PipelineRecord("test", "test.yaml", "0" * 64, {"name": "test"}, {"a.j2": "Prompt."}),
    inputs={"task": "Do it."},
    seed=42,
    started_at="2026-01-02T03:04:05.000Z",
    versions=Versions("0", "fake", None, {"m": None}),
)
ENDED = "2026-01-02T03:05:00.000Z"
FORMAT = {"type": "object", "properties": {"ok": {"type": "boolean", "default": False}}, "required": ["ok"]}


def transcript(conversation: Conversation) -> Transcript:
    """Return the transcript of a conversation, interrupted where it has not ended."""
    conversation.interrupt("enough")
    assert conversation.outcome is not None
    return finish(HEADER, conversation.turns, conversation.outcome, ENDED)


def drive(conversation: Conversation, replies: list[Reply]) -> dict[str, Messages]:
    """Answer as long as there are replies, and to the end of a turn; return the messages that each ask was sent."""
    sent: dict[str, Messages] = {}
    left = list(replies)
    while left or any(ask.attempt > 1 for ask in conversation.pending):
        if not conversation.pending:
            break
        reply = left.pop(0) if left else said('{"ok": true}')
        ask = conversation.pending[len(left) % len(conversation.pending)]
        try:
            sent[ask.id] = json.loads(json.dumps(ask.request.messages))
            reply = replace(reply, content=reply.content.replace("LABEL", ask.label))
        except TemplateError as error:
            sent[ask.id] = []
            reply = Reply(failure=Failure("template", str(error)))
        conversation.answer(ask, reply)
    return sent


def with_requests(made: Transcript) -> list[TurnRecord | AttemptRecord]:
    """Return every record that has a request of its own."""
    tried: list[TurnRecord | AttemptRecord] = [a for turn in made.turns for a in turn.attempts if a.request is not None]
    return [*tried, *made.turns]


# --- Conversations of every kind

TEXT = st.text(alphabet='ab Z\n:*éß\u2028\U0001f600\udc80"\\', max_size=12)
WORDS = st.builds("{}x{}".format, st.sampled_from(["", "", "LABEL: ", "**LABEL:** "]), TEXT)
SEES = st.sampled_from(
    ["all", "none", "own", "others", ["anna"], ["ben", "cleo"], {"from": "all", "last": 1},
     {"from": "others", "last": 2}, {"from": "own", "opening": False}]
)  # fmt: skip
NAME = st.sampled_from(["anna", "ben", "cleo"])
INSTRUCTION = st.sampled_from(["Say it.", "Again: {{ last.content }}", "You, {{ role.label }}.", "\U0001f600\u2028"])
SAY = st.one_of(
    st.fixed_dictionaries({"say": NAME}, optional={"instruction": INSTRUCTION, "sees": SEES}),
    st.fixed_dictionaries({"say": NAME}, optional={"instruction": INSTRUCTION, "format": st.just(FORMAT)}),
    st.fixed_dictionaries(
        {"say": NAME, "result": st.sampled_from(["", "{{ last }}!"])}, optional={"speaker": st.just("M")}
    ),
)
SAYS = st.lists(SAY, min_size=2, max_size=3)
BLOCK = st.one_of(
    st.fixed_dictionaries({"repeat": SAYS, "times": st.integers(2, 4)}),
    st.fixed_dictionaries({"parallel": SAYS}),
    st.fixed_dictionaries({"parallel": SAYS, "times": st.just(2)}),
    st.fixed_dictionaries({"scene": SAYS, "opening": st.just("Inside, after {{ last }}")}),
    st.fixed_dictionaries({"choose": st.just(["anna", "ben"]), "by": st.just("cleo")}),
    st.fixed_dictionaries({"post": st.just("Now: {{ task }}")}),
)
TURNS = st.builds(list.__add__, st.lists(SAY, max_size=2), st.lists(BLOCK, min_size=2, max_size=4))
ROLE = st.fixed_dictionaries(
    {},
    optional={
        "prompt": st.sampled_from(["You are {{ role.label }}.", "{{ opening_words }}", "Ünï \u2028 {{ task }}"]),
        "label": st.sampled_from(["The Boss", "a: b", "Ännä", "x"]),
        "sees": SEES,
    },
)
ATTEMPTS = st.lists(
    st.builds(Attempt, st.just(Failure("server", "No.", retry=True)), TEXT, TEXT, st.just(0.5)), max_size=2
)
OK = st.builds(
    Reply,
    content=st.one_of(WORDS, WORDS, st.sampled_from(["", '{"ok": true}', '```json\n{"ok": false}\n```', '{"ok": 1}'])),
    thinking=TEXT,
    done_reason=st.sampled_from(["stop", "length", None]),
    tokens=st.builds(Tokens, st.sampled_from([None, 3]), st.sampled_from([None, 5])),
    latency=st.builds(Latency, total=st.just(1.25), load=st.none(), first_token=st.just(0.5)),
    seconds=st.just(4.0),
    attempts=ATTEMPTS.map(tuple),
    model=st.sampled_from([None, "another"]),
    tool_calls=st.sampled_from([(), ({"name": "f", "arguments": {"a": [1, None]}},)]),
)  # fmt: skip
BROKEN = st.builds(
    Reply,
    content=TEXT,
    failure=st.builds(Failure, st.sampled_from(["server", "timeout", "overflow", "overflow", "broken"]), TEXT),
    seconds=st.just(3.0),
    attempts=ATTEMPTS.map(tuple),
)
REPLIES = st.lists(st.sampled_from([OK, OK, OK, OK, BROKEN]).flatmap(lambda kind: kind), min_size=8, max_size=16)
LIMITS = st.fixed_dictionaries(
    {"on_overflow": st.sampled_from(["drop_oldest", "drop_oldest", "stop"]), "max_turns": st.integers(6, 20)},
    optional={"repairs": st.integers(0, 3), "max_time": st.just("60s")},
)


@dataclass
class Case:
    """A pipeline, and what is answered."""

    pipeline: Pipeline
    replies: list[Reply]

    def play(self) -> tuple[Transcript, dict[str, Messages], Conversation]:
        """Return the transcript and what was sent."""
        conversation = Conversation(self.pipeline, {"task": "Do \U0001f600.", "opening_words": "Hear:"})
        sent = drive(conversation, self.replies)
        return transcript(conversation), sent, conversation


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Conversations over three roles, with everything in them that shapes a request, and steps of every kind."""
    roles = {name: draw(ROLE) for name in ("anna", "ben", "cleo")}
    keys: dict[str, Any] = {
        "limits": draw(LIMITS),
        "opening": draw(st.sampled_from(["Begin: {{ task }}", "Begin."])),
    }
    result = draw(st.sampled_from([None, "{{ messages }}", "{{ said.anna.data }}", "{{ last }}"]))
    return Case(pipeline(draw(TURNS), roles=roles, result=result, **keys), draw(REPLIES))


FAST = settings(derandomize=True, database=None, deadline=None, max_examples=60)


@cache
def judge() -> Draft202012Validator:
    """Return the judge of transcripts."""
    Draft202012Validator.check_schema(transcript_schema())
    return Draft202012Validator(transcript_schema())


@FAST
@given(cases())
def test_what_was_sent_is_rebuilt(case: Case) -> None:
    """For turns, and for attempts with a request of their own, the messages are those that were sent."""
    made, sent, _ = case.play()
    records = with_requests(made)
    assert sorted(record.id for record in records) == sorted(sent)
    for record in records:
        assert messages_of(made, record) == sent[record.id]


@FAST
@given(cases())
def test_a_transcript_survives_its_file(case: Case) -> None:
    """Dumped to JSON and loaded again it is equal, fits its schema, and gives the same messages."""
    made, sent, _ = case.play()
    data = json.loads(dumps(made, indent=1).encode())
    assert load(data) == made
    judge().validate(data)
    loaded = load(data)
    assert {record.id: messages_of(loaded, record) for record in with_requests(loaded)} == sent


@FAST
@given(cases())
def test_the_totals_are_what_the_limits_counted(case: Case) -> None:
    """Every token and every second is in the totals once, those of retries and repairs too."""
    made, _, conversation = replace(case, replies=case.replies * 4).play()
    if made.status == "interrupted":  # what an open branch has cost is counted when it is over
        return
    counted = conversation.branch.tallies[0]
    assert made.totals.seconds == pytest.approx(counted.seconds)
    assert (made.totals.tokens.prompt or 0) + (made.totals.tokens.completion or 0) == counted.tokens
    turns = [turn for turn in conversation.turns if not turn.is_pick]
    assert made.totals.turns == len(turns)
    assert made.totals.failed == sum(turn.message.failed for turn in turns)


@FAST
@given(cases())
def test_a_journal_holds_what_the_transcript_does(case: Case) -> None:
    """The lines of a journal, in order of arrival, give the same turns, and the messages that they were sent."""
    _, sent, conversation = case.play()
    encoder, known = MessageEncoder(), 0
    lines: list[Any] = [{"start": HEADER}]
    for turn in conversation.log:
        record = encoder.turn(turn)
        lines.append({"turn": record, "texts": dict(list(encoder.texts.items())[known:])})
        known = len(encoder.texts)
    header, turns, texts = load_journal([json.loads(dumps(line)) for line in lines])
    made = transcript(conversation)
    assert (header, {turn.id for turn in turns}) == (HEADER, {turn.id for turn in made.turns})
    read = replace(made, turns=turns, texts=texts)
    assert {one.id: messages_of(read, one) for one in with_requests(read)} == sent


@FAST
@given(cases())
def test_the_same_replies_give_the_same_bytes(case: Case) -> None:
    """Two conversations with the same replies leave transcripts that are the same to the byte."""
    assert dumps(case.play()[0]) == dumps(case.play()[0])


@settings(FAST, max_examples=30)
@given(cases(), st.data())
def test_tampering_is_noticed(case: Case, data: st.DataObject) -> None:
    """A change to any text that somebody was sent is found when the messages are rebuilt."""
    made, _, _ = case.play()
    parts = [part for record in with_requests(made) if record.request for part in record.request.parts]
    if not parts:
        return
    part = data.draw(st.sampled_from(parts))
    if part.text is not None:
        changed = replace(made, texts={**made.texts, part.text: made.texts[part.text] + "!"})
    else:
        turns = [_tampered(turn, part.role) if turn.id == part.turn else turn for turn in made.turns]
        changed = replace(made, turns=tuple(turns))
    with pytest.raises(ValueError, match="the transcript was changed"):
        [messages_of(changed, record) for record in with_requests(changed)]


def _tampered(turn: TurnRecord, kind: str) -> TurnRecord:
    if kind == "assistant" or turn.said is None:
        return replace(turn, content=turn.content + "!")
    return replace(turn, said=turn.said + "!")


# --- What it is made of


def _long_talk(turns: list[Any], count: int, **keys: Any) -> tuple[Conversation, Transcript]:
    conversation = talk(turns, limits={"max_turns": count, **keys})
    number = 0
    while conversation.pending:
        number += 1
        content = f"This is what was said at turn {number}, and it is not short."
        overflows = keys and number % 25 == 0
        conversation.answer(conversation.pending[0], failed("overflow") if overflows else said(content))
    return conversation, transcript(conversation)


GROWING: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "two who see all": ([{"repeat": ["anna", "ben"]}], {}),
    "one alone": ([{"repeat": ["anna"]}], {}),
    "instructions": ([{"repeat": [{"say": "anna", "instruction": "Turn {{ turn }}."}, "ben"]}], {}),
    "views that alternate": ([{"repeat": [{"say": "anna", "sees": "none"}, "anna", "ben"]}], {}),
    "overflow": ([{"repeat": ["anna", "ben"]}], {"on_overflow": "drop_oldest"}),
    "the newest only": ([{"repeat": [{"say": "anna", "sees": {"last": 2}}, "ben"]}], {}),
}


@pytest.mark.parametrize(("turns", "keys"), GROWING.values(), ids=GROWING)
def test_size_grows_linearly(turns: list[Any], keys: dict[str, Any]) -> None:
    """Twice the turns make about twice the bytes, whoever sees what; and still every request can be rebuilt."""
    (_, short), (conversation, long_) = (_long_talk(turns, count, **keys) for count in (100, 200))
    assert len(dumps(long_)) / len(dumps(short)) < 2.3
    for turn, record in zip(conversation.turns, long_.turns, strict=True):
        assert messages_of(long_, record) == turn.exchange.ask.request.messages


def test_a_long_transcript_is_rebuilt_in_bearable_time() -> None:
    """A request far down a long conversation is put together from what it lacks, not from all before it."""
    _, made = _long_talk([{"repeat": ["anna", "ben"]}], 1000)
    messages = messages_of(made, made.turns[-1])
    assert len(messages) == 999
    assert "turn 999," in messages[-1]["content"]


def test_nothing_is_stored_twice() -> None:
    """A prompt, an instruction and a reply are in the file once, however often they were sent."""
    roles = {"anna": {"prompt": "PROMPT of anna"}, "ben": {}}
    conversation = talk([{"repeat": [{"say": "anna", "instruction": "INSTRUCTION"}, "ben"], "times": 5}], roles=roles)
    drive(conversation, [said(f"REPLY {number}") for number in range(10)])
    text = dumps(transcript(conversation))
    assert [text.count(word) for word in ("PROMPT", "INSTRUCTION", "REPLY 3")] == [1, 1, 1]


def test_a_reply_that_names_itself_keeps_both_forms() -> None:
    """The speaker is sent what it wrote, the others what they heard; ``said`` is only where it differs."""
    conversation = talk(["anna", "ben", "anna"])
    sent = drive(conversation, [said("anna: Hello."), said("Hi."), said("x")])
    made = transcript(conversation)
    assert [turn.said for turn in made.turns] == ["Hello.", None, None]
    assert sent["turns.1"][-1]["content"].endswith("anna: Hello.")
    assert sent["turns.2"][1] == {"role": "assistant", "content": "anna: Hello."}


def test_what_a_server_refused_is_recorded() -> None:
    """The fields that were left out of a request are named with it, and only where there are such."""
    conversation = talk(["anna", "ben"])
    drive(conversation, [replace(said("Hello."), unsent=("seed",)), said("Hi.")])
    made = transcript(conversation)
    assert [turn.request.unsent for turn in made.turns] == [("seed",), None]
    assert ["unsent" in turn["request"] for turn in plain(made)["turns"]] == [True, False]
    assert load(json.loads(dumps(made))) == made


def test_attempts_are_told_apart() -> None:
    """Tries of the same ask share its request; a repair and a shorter request are asks of their own."""
    attempt = Attempt(Failure("broken", "It broke.", retry=True), "half", "", 2.0)
    conversation = talk([{"say": "anna", "format": FORMAT}], limits={"on_overflow": "drop_oldest"})
    first = replace(said("no JSON"), attempts=(attempt,), seconds=3.5)
    drive(conversation, [first, said('{"ok": true}')])
    (turn,) = transcript(conversation).turns
    assert [(a.id, a.error.kind, a.content, a.seconds) for a in turn.attempts] == [
        ("turns.0", "broken", "half", 2.0),
        ("turns.0", "malformed", "no JSON", 1.5),
    ]
    assert [a.request is not None for a in turn.attempts] == [False, True]
    assert (turn.id, turn.data, turn.seconds) == ("turns.0#2", {"ok": True}, 1.0)
    assert transcript(conversation).totals.seconds == 4.5
    with pytest.raises(ValueError, match="no request of its own"):
        messages_of(transcript(conversation), turn.attempts[0])


def test_a_pick_is_recorded_and_is_no_turn() -> None:
    """Who chose what is there, heard by nobody; it has no number and is not among the totals' turns."""
    turns = [{"choose": ["anna", "ben"], "by": "cleo"}, {"choose": ["anna", "ben"], "by": "cleo", "allow_repeat": True}]
    conversation = talk(turns, roles=("anna", "ben", "cleo"))
    sent = drive(conversation, [said('{"next": "ben"}'), said("Hello."), failed(), said("I am the first.")])
    made = transcript(conversation)
    assert [(turn.role, turn.turn, turn.is_pick, turn.heard) for turn in made.turns] == [
        ("cleo", None, True, False),
        ("ben", 1, False, True),
        ("cleo", None, True, False),
        ("anna", 2, False, True),
    ]
    assert (made.totals.turns, made.totals.failed) == (2, 0)
    assert {turn.id: messages_of(made, turn) for turn in made.turns} == sent


def test_a_failed_turn_keeps_what_had_arrived() -> None:
    """Its content is empty and its error is there; the partial text is its last attempt's."""
    conversation = talk(["anna", "ben"])
    drive(conversation, [failed("timeout", "Too late.", content="Half a", thinking="Hm"), said("ok")])
    turn = transcript(conversation).turns[0]
    assert (turn.content, turn.error and turn.error.kind, turn.heard) == ("", "timeout", False)
    assert [(a.content, a.error.message) for a in turn.attempts] == [("Half a", "Too late.")]


@pytest.mark.parametrize("text", ["\udc80", "a\ud83d b", "\u2028\u2029\x85", "\x00\x1f\x7f", "\U0001f600", '"\\\n'])
def test_any_text_survives(text: str) -> None:
    """Also what UTF-8 cannot carry; a line of a journal stays one line."""
    conversation = talk(["anna", "ben"], roles={"anna": {"prompt": text}, "ben": {}}, opening=text + "?")
    drive(conversation, [said(text + "."), said("ok")])
    made = transcript(conversation)
    assert dumps(made).encode().count(b"\n") == 0
    loaded = load(json.loads(dumps(made).encode()))
    assert loaded.turns[0].content == text + "."
    assert all(messages_of(loaded, record) for record in with_requests(loaded))


def test_what_is_no_json_number_is_refused() -> None:
    """Nothing is written that another program could not read."""
    with pytest.raises(ValueError, match="JSON"):
        dumps({"seconds": float("nan")})


def test_a_digest_is_that_of_compact_sorted_json() -> None:
    """Whoever wants to check one can do so in a line."""
    import hashlib

    assert digest([{"b": "é", "a": 1}]) == hashlib.sha256(b'[{"a":1,"b":"\\u00e9"}]').hexdigest()


def test_records_become_plain_data() -> None:
    """Nothing but maps, lists and scalars is left, at any depth."""

    def check(value: Any) -> None:
        assert not is_dataclass(value)
        assert type(value) in (dict, list, str, int, float, bool, type(None))
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            check(item)

    conversation = talk([{"say": "anna", "format": FORMAT}], result="{{ messages }}")
    drive(conversation, [said('{"ok": true}')])
    check(plain(transcript(conversation)))


def test_every_record_is_in_the_schema() -> None:
    """The schema names every field of a transcript and of a turn, and asks for those without a default."""
    schema = transcript_schema()
    assert set(schema["properties"]) == {field.name for field in fields(Transcript)}
    assert set(schema["$defs"]["TurnRecord"]["properties"]) == {field.name for field in fields(TurnRecord)}
    assert {"id", "status", "turns", "format"} <= set(schema["required"])


# --- What is refused


def _data() -> dict[str, Any]:
    conversation = talk(["anna", "ben", "anna"])
    drive(conversation, [said("one"), said("two"), said("three")])
    data: dict[str, Any] = plain(transcript(conversation))
    return data


@pytest.mark.parametrize(
    "data", [None, [], "text", 3, {}, {"format": 1}, {"turns": []}, {"name": "m1", "turns": ["a"]}]
)
def test_what_is_no_transcript_is_refused(data: Any) -> None:
    """It says that it is none, not what a parser thought."""
    with pytest.raises(ValueError, match=r"^this is no transcript of llm-gc$"):
        load(data)


@pytest.mark.parametrize(
    ("format_", "word"), [(2, "a newer llm-gc may"), (0, "format 0"), ("1", "format '1'"), (None, "None")]
)
def test_another_version_is_refused(format_: Any, word: str) -> None:
    """It says which version it has, which one is read, and who may read the other."""
    with pytest.raises(ValueError, match=word):
        load({**_data(), "format": format_})
    start = plain(HEADER)
    with pytest.raises(ValueError, match=word):
        load_journal([{"start": {**start, "format": format_}}])


def test_a_transcript_that_does_not_fit_says_where() -> None:
    """The first place that does not fit is named, in one line."""
    data = _data()
    data["turns"][1]["tokens"] = "many"
    with pytest.raises(ValueError, match=r"^at turns\.1\.tokens: [^\n]+$"):
        load(data)


@pytest.mark.parametrize("lines", [
    [], [{}], [[]], [{"start": {}}], [{"turn": {}, "texts": {}}], [{"start": plain(HEADER)}, {"turn": {}}],
    [{"start": plain(HEADER)}, {"start": plain(HEADER)}], [{"start": plain(HEADER)}, {"turn": {}, "texts": {}}],
    [{"start": {"format": 1}}], ["start"],
])  # fmt: skip
def test_what_is_no_journal_is_refused(lines: list[Any]) -> None:
    """Whatever is in it, the error is one line."""
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        load_journal(lines)


@pytest.mark.parametrize(("path", "value"), [
    ((1, "after"), "turns.9"),
    ((2, "after"), "turns.2"),
    ((2, "keep"), 0),
    ((2, "parts"), [{"role": "user", "text": "0" * 16, "turn": None}]),
    ((2, "parts"), [{"role": "user", "text": None, "turn": "turns.9"}]),
    ((2, "parts"), [{"role": "user", "text": None, "turn": None}]),
])  # fmt: skip
def test_a_broken_request_is_a_clear_error(path: tuple[int, str], value: Any) -> None:
    """References that lead nowhere, or round in a circle, are told as what they are."""
    data = _data()
    data["turns"][path[0]]["request"] |= {path[1]: value, "keep": 2} if path[1] != "keep" else {"keep": value}
    broken = load(data)
    with pytest.raises(ValueError, match=r"the transcript (lacks|was changed)"):
        messages_of(broken, broken.turns[path[0]])
