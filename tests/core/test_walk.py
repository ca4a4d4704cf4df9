"""The walk: who is asked when, what moves on, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.core import Conversation, Outcome
from llm_gc.core.outcome import Ending
from llm_gc.core.step_scope import StepScope
from llm_gc.errors import TemplateError
from llm_gc.language.pipeline import Pipeline
from llm_gc.protocol import Ask, Flow, Fork, Reply, TurnSpec
from tests.talks import answer_all, failed, pipeline, said, speakers, talk


def test_two_roles_alternate() -> None:
    """A repeat of two roles asks them in turn, as many rounds as it says."""
    conversation = talk([{"repeat": ["anna", "ben"], "times": 3}])
    assert speakers(answer_all(conversation)) == ["anna", "ben"] * 3
    assert conversation.outcome is not None
    assert (conversation.outcome.status, conversation.outcome.reason) == ("completed", "turns_done")
    assert [turn.number for turn in conversation.turns] == [1, 2, 3, 4, 5, 6]


def test_ids_hold_the_path_and_the_rounds() -> None:
    """An ask's id is its step's path with the rounds in it, so that it is the same in every run."""
    conversation = talk([{"repeat": [{"repeat": ["anna"], "times": 2}, "ben"], "times": 2}])
    assert [ask.id for ask in answer_all(conversation)] == [
        "turns.0.repeat:1.0.repeat:1.0",
        "turns.0.repeat:1.0.repeat:2.0",
        "turns.0.repeat:1.1",
        "turns.0.repeat:2.0.repeat:1.0",
        "turns.0.repeat:2.0.repeat:2.0",
        "turns.0.repeat:2.1",
    ]


def test_an_ask_that_does_not_wait_cannot_be_answered() -> None:
    """Answering twice is refused, and changes nothing."""
    conversation = talk(["anna", "ben"])
    ask = conversation.pending[0]
    conversation.answer(ask, said("one"))
    with pytest.raises(ValueError, match="nothing waits"):
        conversation.answer(ask, said("two"))
    assert [message.content for message in conversation.messages] == ["one"]


def test_answer_gives_what_can_be_asked_next() -> None:
    """The new asks are those that became pending through the answer."""
    conversation = talk(["anna", "ben"])
    (ask,) = conversation.answer(conversation.pending[0], said("one"))
    assert (ask,) == conversation.pending
    assert conversation.answer(ask, said("two")) == ()


def test_max_turns_stops_hard() -> None:
    """With four turns allowed, four are taken, and the conversation is stopped since more was due."""
    conversation = talk([{"repeat": ["anna", "ben"], "times": 3}], limits={"max_turns": 4})
    assert len(answer_all(conversation)) == 4
    assert conversation.outcome is not None
    assert (conversation.outcome.status, conversation.outcome.reason) == ("stopped", "max_turns")


def test_a_limit_that_is_just_reached_ends_nothing() -> None:
    """A limit ends a conversation only when something more was due."""
    conversation = talk([{"repeat": ["anna", "ben"], "times": 2}], limits={"max_turns": 4})
    answer_all(conversation)
    assert conversation.outcome is not None
    assert conversation.outcome.reason == "turns_done"


def test_max_total_tokens() -> None:
    """Prompt and completion count together, and the turn that would come after the limit is not taken."""
    conversation = talk([{"repeat": ["anna"]}], limits={"max_total_tokens": 40})
    assert len(answer_all(conversation)) == 3  # 15 tokens each
    assert conversation.outcome is not None
    assert conversation.outcome.reason == "max_total_tokens"


def test_max_time_is_the_sum_of_replies() -> None:
    """Time is what the replies say it was; each ask's deadline is what is left of it, if that is less."""
    conversation = talk([{"repeat": ["anna"]}], limits={"max_time": "3s", "reply_time": "2s"})
    asks = answer_all(conversation)
    assert [ask.deadline for ask in asks] == [2.0, 2.0, 1.0]
    assert conversation.outcome is not None
    assert conversation.outcome.reason == "max_time"


@pytest.mark.parametrize("on_overflow", ["stop", "drop_oldest"])
def test_an_overflow_that_took_the_last_of_the_time_is_not_asked_again(on_overflow: str) -> None:
    """There is no ask without time: where it would be asked again, the time is what ends it."""
    limits = {"max_time": "3s", "on_overflow": on_overflow}
    conversation = talk(["ben", "ben", "anna", "ben"], limits=limits)
    asks = answer_all(conversation, "B1", "B2", failed("overflow", "Too long."))
    assert [ask.deadline for ask in asks] == [3.0, 2.0, 1.0]
    assert conversation.outcome is not None
    assert conversation.outcome.reason == ("overflow" if on_overflow == "stop" else "max_time")


def test_a_failed_turn_is_passed_over() -> None:
    """With on_error: continue the next speaker continues, and is not sent the failed turn."""
    conversation = talk(["anna", "ben", "anna"])
    asks = answer_all(conversation, failed(content="half a sen"), said("I am Ben."))
    assert speakers(asks) == ["anna", "ben", "anna"]
    assert asks[1].request.messages == [{"role": "user", "content": "Begin."}]
    assert [turn.message.failed for turn in conversation.turns] == [True, False, False]
    assert conversation.turns[0].message.content == ""
    assert conversation.outcome is not None
    assert conversation.outcome.status == "completed"


def test_on_error_stop() -> None:
    """With on_error: stop the first failure ends it, and says why."""
    conversation = talk(["anna", "ben"], limits={"on_error": "stop"})
    answer_all(conversation, failed(message="The server fell over."))
    assert conversation.outcome is not None
    assert (conversation.outcome.status, conversation.outcome.detail) == ("failed", "The server fell over.")


def test_no_turn_succeeded() -> None:
    """A conversation in which nobody said anything has failed, whatever on_error says and by whatever it ended."""
    endings: list[tuple[str, Any, Any]] = [
        ("turns_done", None, None),
        ("max_turns", "anna", {"max_turns": 2}),
        ("max_time", "anna", {"max_time": "2s"}),
        ("end_step", {"end": "It is over."}, None),
    ]
    for reason, last, limits in endings:
        conversation = talk(["anna", "ben", *([last] if last else [])], limits=limits)
        answer_all(conversation, failed(), failed(message="It broke again."))
        assert conversation.outcome is not None
        assert (conversation.outcome.status, conversation.outcome.reason) == ("failed", reason)
        assert conversation.outcome.detail.endswith("; no turn succeeded, the last one: It broke again.")


def test_a_cut_turn_has_succeeded() -> None:
    """Its words were heard; so the conversation has not failed."""
    conversation = talk(["anna"])
    answer_all(conversation, Reply("I was cut in the", done_reason="length"))
    assert conversation.outcome is not None
    assert (conversation.outcome.status, conversation.outcome.result) == ("completed", "I was cut in the")


@pytest.mark.parametrize("failed_", [True, False])
def test_an_end_may_say_that_it_has_failed(*, failed_: bool) -> None:
    """The reason is the same, and so is the result; the status is the author's."""
    conversation = talk(["anna", {"end": "Not safe.", "failed": failed_}, "ben"])
    asks = answer_all(conversation, "No.")
    assert (len(asks), conversation.outcome) == (1, Outcome("end_step", "Not safe.", "No.", is_failed=failed_))
    assert conversation.outcome is not None
    assert conversation.outcome.status == ("failed" if failed_ else "completed")


def test_an_end_in_a_branch_may_say_so_too() -> None:
    """It continues outwards with the block's other endings: the first in declared order is told."""
    turns: list[Any] = [
        {"parallel": ["anna", {"do": ["ben", {"end": "Not safe.", "failed": True}]}, {"end": "Enough."}]}
    ]
    conversation = talk(turns)
    answer_all(conversation)
    assert conversation.outcome == Outcome("end_step", "Not safe.", "ok", is_failed=True)


def test_a_server_that_is_gone_ends_it() -> None:
    """When nobody listens any more, the next speaker is not asked."""
    conversation = talk(["anna", "ben"])
    answer_all(conversation, failed("unreachable"))
    assert len(conversation.turns) == 1
    assert conversation.outcome is not None
    assert conversation.outcome.failure == "unreachable"


@pytest.mark.parametrize(("limit", "turns"), [(3, 10), ({"times": 3, "across": True}, 4)], ids=str)
def test_repetition_may_count_across_speakers(limit: Any, turns: int) -> None:
    """Then it does not matter who says the same; else it must be one speaker."""
    conversation = talk([{"repeat": ["anna", "ben"], "times": 5}], limits={"repetition": limit})
    answer_all(conversation, "I see.", "Yes.", "Yes.", " Yes. ", "Yes?", "Hm.", "No.", "Yes.", "No.", "Yes!")
    assert len(conversation.turns) == turns
    assert conversation.outcome is not None
    assert (conversation.outcome.reason == "repetition") is (turns == 4)


def test_a_failed_turn_between_them_ends_a_row_of_equal_messages() -> None:
    """Nothing was said there."""
    conversation = talk([{"repeat": ["anna", "ben"], "times": 2}], limits={"repetition": {"times": 2, "across": True}})
    assert len(answer_all(conversation, "Yes.", failed(), "Yes.", failed())) == 4


def test_repetition_counts_equal_contents_of_one_speaker() -> None:
    """Three equal replies in a row, space folded, stop it; another speaker's words between them do not matter."""
    conversation = talk([{"repeat": ["anna", "ben"]}], limits={"repetition": 3})
    replies = ["same", "b1", "other", "b2", "same", "b3", " same\n", "b4", "same"]
    assert len(answer_all(conversation, *replies)) == 9
    assert conversation.outcome is not None
    assert conversation.outcome.reason == "repetition"


def test_until_is_looked_at_after_each_round() -> None:
    """The round in which it turns true is finished, and no other begins."""
    conversation = talk([{"repeat": ["anna", "ben"], "until": "'yes' in said.anna.content"}])
    assert len(answer_all(conversation, "no", "-", "yes", "-")) == 4


def test_a_round_in_which_nobody_spoke_ends_an_open_loop() -> None:
    """Without times, a round without a turn is the last."""
    conversation = talk([{"repeat": [{"say": "anna", "when": "round < 3"}]}, "ben"])
    assert speakers(answer_all(conversation)) == ["anna", "anna", "ben"]


def test_a_loop_without_an_ask_is_an_error_not_a_hang() -> None:
    """A count that nobody meant is found out after ten thousand steps."""
    conversation = talk([{"repeat": [{"say": "anna", "when": "false"}], "times": 10**9}])
    assert conversation.outcome is not None
    assert conversation.outcome.status == "failed"
    assert "turns.0" in conversation.outcome.detail


def test_times_may_be_a_template_and_keeps_its_type() -> None:
    """A value that is wholly one expression is a number where the input is one."""
    assert len(answer_all(talk([{"repeat": ["anna"], "times": "{{ n + 1 }}"}], {"n": 2}))) == 3


@pytest.mark.parametrize("times", ["{{ 'many' }}", "{{ 1.5 }}", "{{ true }}", "{{ -1 }}"])
def test_times_that_is_no_count_fails_with_its_place(times: str) -> None:
    """What gives no whole number says where, what it gave, and what was expected."""
    conversation = talk([{"repeat": ["anna"], "times": times}])
    assert conversation.outcome is not None
    assert conversation.outcome.status == "failed"
    assert conversation.outcome.detail.startswith("pipeline test, turns.0.times: ")


def test_a_template_that_fails_on_the_way_ends_it_with_its_place() -> None:
    """The outcome names the step, the key and the missing name."""
    conversation = talk(["anna", {"say": "ben", "when": "lst.content"}])
    answer_all(conversation)
    assert conversation.outcome is not None
    assert conversation.outcome.reason == "error"
    assert "turns.1.when" in conversation.outcome.detail
    assert "'lst' is undefined" in conversation.outcome.detail


def test_a_template_over_the_inputs_fails_before_the_first_step() -> None:
    """Limits and models are worked out when the conversation is made."""
    with pytest.raises(TemplateError, match=r"limits\.max_turns"):
        talk(["anna"], limits={"max_turns": "{{ roundz }}"})


def test_the_result_is_a_template() -> None:
    """It keeps its type where it is wholly one expression."""
    conversation = talk(["anna", "ben"], result="{{ said.anna.content | length }}")
    answer_all(conversation, "four", "x")
    assert conversation.outcome is not None
    assert conversation.outcome.result == 4


@pytest.mark.parametrize("hidden", ["", "{{ '' }}"])
def test_without_one_the_result_is_what_was_heard_last(hidden: str) -> None:
    """Not what a step's result hides, and not what failed; what the narrator said is heard as well."""
    conversation = talk(["anna", {"say": "ben", "result": hidden}, "ben"])
    answer_all(conversation, "from anna", "APPROVED", failed())
    assert conversation.outcome is not None
    assert conversation.outcome.result == "from anna"
    posted = talk(["anna", {"post": "Thank you."}, {"say": "ben", "result": hidden}])
    answer_all(posted)
    assert posted.outcome is not None
    assert posted.outcome.result == "Thank you."


def test_a_message_as_the_result_is_its_content() -> None:
    """Printed by itself a message is its content, and so it is as a result."""
    conversation = talk(["anna", "ben"], result="{{ said.anna }}")
    answer_all(conversation, "from anna", "x")
    assert conversation.outcome is not None
    assert conversation.outcome.result == "from anna"


def test_the_result_falls_back_where_an_early_end_left_its_names_unset() -> None:
    """The last message that was heard stands in for it."""
    turns = ["anna", {"say": "ben", "as": "verdict"}]
    conversation = talk(turns, result="{{ verdict.content }}", stop=["DONE"])
    answer_all(conversation, "It is\nDONE")
    assert conversation.outcome is not None
    assert (conversation.outcome.reason, conversation.outcome.result) == ("stop_token", "It is\nDONE")


def test_interrupt_gives_up_what_waits() -> None:
    """After an interruption nothing is pending, and what was said stays."""
    conversation = talk(["anna", "ben"])
    conversation.answer(conversation.pending[0], said("one"))
    conversation.interrupt("somebody stopped it")
    assert conversation.pending == ()
    assert conversation.outcome is not None
    assert (conversation.outcome.status, conversation.outcome.result) == ("interrupted", "one")


def test_the_same_replies_give_the_same_state() -> None:
    """State is a value: equal for equal histories, different for different ones, and it can be hashed."""
    one, two, other = (talk(["anna", {"say": "ben", "as": "b"}, "anna"]) for _ in range(3))
    for conversation, word in ((one, "same"), (two, "same"), (other, "else")):
        conversation.answer(conversation.pending[0], said(word))
        conversation.answer(conversation.pending[0], said("x"))
    assert one.state == two.state
    assert hash(one.state) == hash(two.state)
    assert one.state != other.state


def test_seeds_differ_by_ask_and_repeat_by_run() -> None:
    """Each ask has a seed of its own, made of the conversation's and its id; a role's own seed is sent as it is."""
    roles = {"anna": {}, "ben": {"seed": 7}}
    turns = [{"repeat": ["anna", "ben"], "times": 2}]
    first, again, other = (answer_all(talk(turns, roles=roles, seed=seed)) for seed in (42, 42, 43))
    seeds = [ask.options["seed"] for ask in first]
    assert seeds == [ask.options["seed"] for ask in again]
    assert seeds[0] != seeds[2]
    assert seeds[1] == seeds[3] == 7
    assert seeds[0] != other[0].options["seed"]
    assert all(0 <= seed < 2**31 for seed in seeds)


@pytest.mark.parametrize(
    ("limits", "sent"), [({"max_tokens": 512}, [300, 512, 100, 512]), ({}, [300, 1024, 100, 3000])], ids=str
)
def test_max_tokens(limits: dict[str, Any], sent: list[int]) -> None:
    """It is always sent: what the step says, else the role; a limit caps it where it is written."""
    roles = {"anna": {"max_tokens": 300}, "ben": {}}
    turns = ["anna", "ben", {"say": "anna", "max_tokens": 100}, {"say": "anna", "max_tokens": 3000}]
    asks = answer_all(talk(turns, roles=roles, limits=limits))
    assert [ask.options["num_predict"] for ask in asks] == sent


def test_a_written_max_tokens_caps_what_is_said_in_scenes() -> None:
    """Of the pipeline around a scene, and of the scene itself."""
    roles = {"anna": {"max_tokens": 3000}, "ben": {}}
    scene = {"scene": ["anna", "ben"], "opening": "Go."}
    inner = {**scene, "limits": {"max_tokens": 100}}
    asks = answer_all(talk([scene, inner], roles=roles, limits={"max_tokens": 2000}))
    assert [ask.options["num_predict"] for ask in asks] == [2000, 2000, 100, 100]
    assert [ask.options["num_predict"] for ask in answer_all(talk([scene], roles=roles))] == [3000, 1024]


def test_roles_on_one_model_share_their_load_options() -> None:
    """A role that leaves num_ctx open takes its model's largest, so that no turn makes the server load again."""
    roles = {"anna": {"num_ctx": 4096}, "ben": {}, "cleo": {"num_ctx": 8192}, "dora": {"model": "other"}}
    asks = answer_all(talk(["anna", "ben", "cleo", "dora"], roles=roles))
    assert [ask.options.get("num_ctx") for ask in asks] == [4096, 8192, 8192, None]


# --- Flows side by side: the walk's own half of parallel, with flows written by hand.


class _Blocks(Conversation):
    """A conversation whose one step is a block of hand-written flows."""

    def __init__(self, *branches: list[str]) -> None:
        self.received: tuple[Ending | None, ...] = ()
        self._branches = branches
        super().__init__(pipeline(["anna"]), {})

    def begin(self, scope: StepScope) -> Flow:
        flows = tuple(self._flow(scope, number, names) for number, names in enumerate(self._branches))
        self.received = yield Fork(flows)

    def _flow(self, scope: StepScope, number: int, names: list[str]) -> Flow:

        for index, name in enumerate(names):
            if name == "end":
                raise Ending("stop_token", f"branch {number}")
            yield from scope._replace(place=f"b{number}.{index}").speak(TurnSpec(name))


def _ids(asks: tuple[Ask, ...]) -> list[str]:
    return [ask.id for ask in asks]


def test_branches_move_on_independently() -> None:
    """An answer moves its own branch on, and only that one; pending stays in declared order."""
    block = _Blocks(["anna", "ben"], ["ben"], ["anna"])
    assert _ids(block.pending) == ["b0.0", "b1.0", "b2.0"]
    block.answer(block.pending[2], said("x"))
    assert _ids(block.pending) == ["b0.0", "b1.0"]
    assert _ids(block.answer(block.pending[0], said("x"))) == ["b0.1"]
    assert _ids(block.pending) == ["b0.1", "b1.0"]


def test_a_block_is_over_when_every_branch_is() -> None:
    """The block is sent the endings of its branches in declared order, None for those that came to their end."""
    block = _Blocks(["anna"], ["end"], [])
    assert block.outcome is None
    block.answer(block.pending[0], said("x"))
    assert [ending and ending.detail for ending in block.received] == [None, "branch 1", None]
    assert block.outcome is not None


def test_a_block_whose_branches_ask_nothing_is_no_hang() -> None:
    """Branches that end at once end the block at once."""
    assert _Blocks([], ["end"]).outcome is not None


def test_the_pipeline_is_frozen() -> None:
    """Nobody can change what a conversation is a function of."""
    made = pipeline(["anna"])
    with pytest.raises(ValueError, match="frozen"):
        made.name = "other"  # type: ignore[misc]
    assert isinstance(made, Pipeline)


def test_variables_are_those_outside_scenes_and_branches() -> None:
    """What was set, kept or gone through; what a scene or a branch named is its own."""
    turns = [
        {"set": {"a": 1}},
        {"say": "anna", "as": "b"},
        {"repeat": [{"set": {"a": "c"}}], "for": "c", "in": [2, 3]},
        {"scene": [{"say": "anna", "as": "inside"}], "opening": "Hi.", "as": "d"},
        {"parallel": [{"say": "anna", "as": "branch"}], "as": "e"},
    ]
    conversation = talk(turns)
    answer_all(conversation, "B", "D", "E")
    assert {name: str(value) for name, value in conversation.variables.items() if name != "e"} == {
        "a": "3", "b": "B", "c": "3", "d": "D",
    }  # fmt: skip
    assert [str(message) for message in conversation.variables["e"]] == ["E"]
