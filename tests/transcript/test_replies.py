"""A record that answers: fed to a conversation, it gives the same conversation again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gc.core import Conversation
from llm_gc.errors import SessionError
from llm_gc.project import document
from llm_gc.protocol import Ask, Attempt, Cut, Failure, Reply, Tokens
from llm_gc.transcript.decode import load
from llm_gc.transcript.encode import MessageDecoder, MessageEncoder, Sent, dumps, finish
from llm_gc.transcript.records import PipelineRecord, Transcript
from llm_gc.transcript.replies import before, conversation_of, feed, header_of, kept, replies
from tests.talks import answer_all, failed, pipeline, said, talk
from tests.transcript.test_transcript import ENDED, FAST, Case, cases, drive, transcript, with_requests

ROLES = ("anna", "ben", "cleo")


def again(made: Transcript, conversation: Conversation) -> Transcript:
    """Feed a transcript, as it comes from its file, to a fresh conversation; return that one's transcript."""
    recorded = replies(load(json.loads(dumps(made))).turns)
    feed(conversation, lambda ask: recorded.get(ask.id))
    return transcript(conversation)


@FAST
@given(cases())
def test_a_record_gives_the_same_transcript(case: Case) -> None:
    """To the byte: with failed tries, repairs, refused tools and thinking, also where it was interrupted."""
    made, _, _ = case.play()
    fresh = Conversation(case.pipeline, {"task": "Do \U0001f600.", "opening_words": "Hear:"})
    assert dumps(again(made, fresh)) == dumps(made)


@FAST
@given(cases(), st.data())
def test_any_beginning_of_a_record_can_be_gone_on_from(case: Case, data: st.DataObject) -> None:
    """As many turns as had arrived are fed, then the rest is answered: nothing is asked twice, and it is the same."""
    made, _, had = case.play()
    every = replies(made.turns)
    count = data.draw(st.integers(0, len(had.log)))
    there = {turn.exchange.ask.id for turn in had.log[:count]}
    recorded = replies(turn for turn in made.turns if turn.id in there)
    fresh, asked = Conversation(case.pipeline, {"task": "Do \U0001f600.", "opening_words": "Hear:"}), list[str]()
    feed(fresh, lambda ask: recorded.get(ask.id))
    assert {turn.exchange.ask.id for turn in fresh.log} == there

    def answer(ask: Ask) -> Reply | None:
        asked.append(ask.id)
        return every.get(ask.id)

    feed(fresh, answer)
    assert not set(asked) & set(recorded)
    assert dumps(transcript(fresh)) == dumps(made)


@FAST
@given(cases())
def test_all_requests_of_a_transcript_are_rebuilt_at_once(case: Case) -> None:
    """One decoder gives what each turn and each repair was sent."""
    made, sent, _ = case.play()
    decoder = MessageDecoder(made)
    assert {one.id: decoder.request(one).messages for one in with_requests(made)} == sent


def test_what_is_not_recorded_stays_pending() -> None:
    """Each branch goes as far as its record, whatever its siblings do."""
    turns = [{"parallel": [{"do": ["anna", "ben"]}, {"do": ["ben", "anna"]}]}, "anna"]
    conversation = talk(turns)
    recorded = {"turns.0.parallel.0.do.0": said("one"), "turns.1": said("never asked")}
    feed(conversation, lambda ask: recorded.get(ask.id))
    assert [ask.id for ask in conversation.pending] == ["turns.0.parallel.0.do.1", "turns.0.parallel.1.do.0"]
    assert [turn.message.content for turn in conversation.log] == ["one"]


def test_asks_come_in_declared_order() -> None:
    """The first branch is followed to its end before the second one is asked."""
    turns = [{"parallel": [{"do": ["anna", "ben"]}, {"do": ["ben", "anna"]}]}, "anna"]
    asked: list[str] = []

    def answer(ask: Ask) -> Reply:
        asked.append(ask.id)
        return said("yes")

    feed(talk(turns), answer)
    block = [f"turns.0.parallel.{branch}.do.{index}" for branch in (0, 1) for index in (0, 1)]
    assert asked == [*block, "turns.1"]


def test_tries_that_came_to_nothing_are_replies_again() -> None:
    """The retries of an ask are behind it, each repair is a reply of its own, and a failure is one too."""
    conversation = talk([{"say": "anna", "format": {"ok": {"type": "boolean"}}}, "ben"])
    retried = (Attempt(Failure("server", "No.", retry=True), "half", "hm", 0.5),)
    drive(conversation, [said("{}", attempts=retried), said('{"ok": true}'), failed("timeout", content="so f")])
    found = replies(transcript(conversation).turns)
    assert list(found) == ["turns.0", "turns.0#2", "turns.1"]
    misfit, fits, late = found.values()
    assert misfit.failure is not None
    assert (misfit.failure.kind, misfit.content, misfit.seconds) == ("malformed", "{}", 1.0)
    assert misfit.attempts == (Attempt(Failure("server", "No."), "half", "hm", 0.5),)
    assert (fits.failure, fits.content, fits.attempts) == (None, '{"ok": true}', ())
    assert (late.failure, late.content) == (Failure("timeout", "It broke."), "so f")


@pytest.mark.parametrize("answers", [("", "Hello."), ("", ""), ("", "no JSON", '{"a": 1}')])
def test_what_was_asked_for_again_is_so_again(answers: tuple[str, ...]) -> None:
    """An empty reply too, and the one that settled its turn is not."""
    step = {"say": "anna", "format": {"a": {}}} if len(answers) > 2 else "anna"
    conversation = talk([step, "ben"])
    answer_all(conversation, *answers)
    made = transcript(conversation)
    assert [attempt.error.kind for attempt in made.turns[0].attempts][:1] == ["empty"]
    assert dumps(again(made, talk([step, "ben"]))) == dumps(made)


def test_what_cut_a_reply_and_the_tokens_of_tries_are_in_the_record() -> None:
    """They are the same in what is made of it."""
    cut = Cut("reply_time", "It took too long.")
    tried = Attempt(Failure("broken", "It broke.", retry=True), "One", tokens=Tokens(None, 3))
    reply = Reply("One two", tokens=Tokens(None, 4), attempts=(tried,), cut_by=cut)
    conversation = talk(["anna", "ben"])
    answer_all(conversation, reply, failed())
    made = transcript(conversation)
    assert (made.turns[0].cut, made.turns[0].cut_by) == (True, cut)
    assert made.totals.tokens == Tokens(0, 7)
    assert dumps(again(made, talk(["anna", "ben"]))) == dumps(made)


def test_failures_at_the_end_are_not_kept() -> None:
    """They are asked again; one after which something was said is a part of the conversation."""
    conversation = talk(["anna", "ben", "anna", "ben"])
    drive(conversation, [failed(), said("one"), failed(), failed()])
    assert [turn.content for turn in kept(transcript(conversation))] == ["", "one"]
    silent = talk(["anna"])
    drive(silent, [failed()])
    assert kept(transcript(silent)) == ()


def test_the_turns_before_a_turn() -> None:
    """By number; the pick that led to the turn comes after the one before it."""
    conversation = talk([{"repeat": [{"choose": ["anna", "ben"], "by": "cleo", "allow_repeat": True}]}], roles=ROLES)
    lines = ['{"next": "anna"}', "A", '{"next": "ben"}', "B"]
    drive(conversation, [said(line) for line in lines])
    made = transcript(conversation)
    assert [turn.role for turn in made.turns] == ["cleo", "anna", "cleo", "ben"]
    assert before(made, 1) == ()
    assert before(made, 2) == made.turns[:2]
    assert before(made, 3) == made.turns
    for turn in (0, 4):
        with pytest.raises(ValueError, match=f"a turn from 1 to .* was expected, not {turn}"):
            before(made, turn)


def test_requests_that_were_sent_once_are_kept_as_they_were() -> None:
    """A conversation that took turns over from another one records what was really sent."""
    one, other = talk(["anna", "ben"], opening="Old."), talk(["anna", "ben"], opening="New.")
    drive(one, [said("A"), said("B")])
    made = transcript(one)
    decoder = MessageDecoder(made)
    record = made.turns[0]
    sent = {
        record.id: Sent(decoder.request(record), record.request.options, None, record.request.model, record.context)
    }
    drive(other, [said("A"), said("C")])
    assert other.outcome is not None
    forked = finish(header_of(made), other.turns, other.outcome, ENDED, sent)
    openings = [MessageDecoder(forked).request(turn).messages[0]["content"] for turn in forked.turns]
    assert openings[0] == "Old."
    assert openings[1].startswith("New.")
    assert forked.turns[0] == record
    assert MessageEncoder(sent).turn(other.turns[0]) == record


def test_a_pipeline_comes_back_from_its_record() -> None:
    """With its prompt files and the pipelines of its scenes; the header is what it was."""
    inner = document(pipeline(["anna"], opening="Inside."))
    outer = document(pipeline([{"scene": "inner.yaml"}], roles={"anna": {"prompt": "a.j2"}}))
    scenes = {"inner.yaml": PipelineRecord("inner", "inner.yaml", "0", inner)}
    record = PipelineRecord("test", "test.yaml", "0", outer, {"a.j2": "You are {{ role.label }}."}, scenes)
    made = replace(transcript(talk(["anna"])), pipeline=record, inputs={})
    conversation = conversation_of(made)
    assert [ask.id for ask in conversation.pending] == ["turns.0.scene.turns.0"]
    assert conversation.pending[0].request.messages == [{"role": "user", "content": "Inside."}]
    header = header_of(made, id="x")
    assert (header.id, header.pipeline, header.started_at) == ("x", record, made.started_at)


def test_a_pipeline_of_another_language_is_refused() -> None:
    """With the place, and without the words of a library."""
    made = transcript(talk(["anna"]))
    with pytest.raises(SessionError, match=r"this llm-gc cannot read the recorded pipeline test, at roles: .*required"):
        conversation_of(made)
