"""What is planned, what is assumed for it, and how large it may become."""

from __future__ import annotations

from pathlib import Path

from tests.planning.planned import assumed, labels, planned, text_of


def test_turns_in_order(tmp_path: Path) -> None:
    """Who speaks, on what, sent what, after how many tokens: all that is declared is known."""
    plan = planned(tmp_path, "turns: [{repeat: [anna, ben], times: 2}]\nstop: [{token: DONE, role: ben}]")
    assert labels(plan) == ["Anna", "Ben", "Anna", "Ben"]
    assert [turn.model for turn in plan.turns] == ["a:1b", "b:1b", "a:1b", "b:1b"]
    assert [turn.is_switch for turn in plan.turns] == [False, True, True, True]
    assert [turn.stops for turn in plan.turns] == [(), ("DONE",), (), ("DONE",)]
    assert [(turn.reply, turn.window) for turn in plan.turns[:2]] == [(400, None), (100, 1024)]
    assert (plan.reason, plan.is_cut, plan.switches, assumed(plan)) == ("turns_done", False, 3, [])
    assert text_of(plan, 2) == "You judge.\nBegin.\n\nAnna: ⟨Anna, turn 1: up to 400 tokens⟩"
    assert plan.turns[1].place == f"{tmp_path / 'test.yaml'}:7:25"


def test_sizes_grow_by_whole_replies(tmp_path: Path) -> None:
    """A reply that is repeated counts with all the tokens that it may have, whoever repeats it, by whatever way."""
    plan = planned(
        tmp_path,
        """
turns: [anna, ben, {say: anna, instruction: "Mind this: {{ said.ben }}", sees: none}]
""",
    )
    fixed = (len("You plan.") + len("Begin.")) // 4
    assert plan.turns[0].prompt == fixed
    assert plan.turns[1].prompt == (len("You judge.") + len("Begin.") + len("Anna: ")) // 4 + 400
    assert plan.turns[2].prompt == (len("You plan.") + len("Begin.") + len("Mind this: ")) // 4 + 100


def test_a_decision_that_hangs_on_a_reply_is_assumed(tmp_path: Path) -> None:
    """It is told with its place, and once where it falls alike again; one that is known is not told."""
    plan = planned(
        tmp_path,
        """
inputs: {polite: {type: boolean, default: true}}
turns:
  - anna
  - repeat: [{say: ben, when: "'yes' in last"}, anna]
    times: 3
  - {say: ben, when: polite and last.role == 'anna'}
""",
    )
    assert labels(plan) == ["Anna"] * 4 + ["Ben"]
    assert assumed(plan) == ["assuming `'yes' in last` does not hold"]
    assert str(plan.turns[1].assumptions[0]).endswith("test.yaml:11:31)")


def test_a_loop_that_a_reply_ends_goes_on_to_its_bound(tmp_path: Path) -> None:
    """Whatever the placeholders say: nobody knows when it ends, and that is told."""
    plan = planned(tmp_path, 'turns: [{repeat: [anna], until: "last", times: 3}, ben]')
    assert labels(plan) == ["Anna", "Anna", "Anna", "Ben"]
    assert assumed(plan) == ["assuming `last` does not hold, and the loop continues"]


def test_a_loop_that_an_input_ends_ends(tmp_path: Path) -> None:
    """What is known is not assumed: the loop ends in the round in which it will."""
    text = "inputs: {n: {type: integer, default: 2}}\nturns: [{repeat: [anna], until: round >= n, times: 9}]"
    plan = planned(tmp_path, text)
    assert (labels(plan), assumed(plan)) == (["Anna", "Anna"], [])


def test_variables_carry_what_is_unknown(tmp_path: Path) -> None:
    """One that is worked out from a reply is as unknown as that; one that is not, is not."""
    plan = planned(
        tmp_path,
        """
turns:
  - set: {count: 1, long: false}
  - {say: anna, as: plan}
  - set: {count: count + 1, long: (plan.content | length) > 9, size: long}
  - {say: ben, when: count == 2}
  - {say: ben, when: long}
""",
    )
    assert labels(plan) == ["Anna", "Ben", "Ben"]
    assert assumed(plan) == ["assuming `long` holds"]


def test_a_stop_that_hangs_on_a_reply_may_come_after_any_turn(tmp_path: Path) -> None:
    """It does not end the plan, though it would hold; a pattern is told too, a plain token with the turns."""
    plan = planned(
        tmp_path, "turns: [anna, ben]\nstop: [{when: last}, {token: 'N.+', match: regex, role: ben}, {token: DONE}]"
    )
    assert labels(plan) == ["Anna", "Ben"]
    assert [stop.text for stop in plan.stops] == [
        "`last` holds",
        "something said matches N.+ after a turn of ben",
    ]
    assert plan.turns[0].stops == ("DONE",)


def test_structured_replies_are_made_up(tmp_path: Path) -> None:
    """They fit, with marks where any text may be; of several courses the longest is planned."""
    head = """
name: test
roles:
  anna:
    {label: Anna, model: a, prompt: Plan., max_tokens: 400, format: {text: {type: string}, good: {type: boolean}}}
opening: Begin.
"""
    text = """
turns:
  - {say: anna, result: "{{ last.data.text }}"}
  - {say: anna, when: not last.data.good, instruction: "You said {{ last.data.text }}."}
"""
    plan = planned(tmp_path, text, head=head)
    assert len(plan.turns) == 2
    assert assumed(plan) == ["assuming `not last.data.good` holds"]
    assert "You said ⟨Anna, turn 1, text: up to 400 tokens⟩." in text_of(plan, 2)
    assert plan.turns[1].prompt == (len("Plan.") + len("Begin.") + len("You said .")) // 4 + 800


def test_choices_are_assumed_each_time(tmp_path: Path) -> None:
    """A role's pick is a request of its own, and no turn; chance is known only with a seed."""
    text = "turns: [{repeat: [{choose: [anna, ben], by: %s, allow_repeat: true}], times: 2}]"
    picked = planned(tmp_path, text % "anna")
    assert [turn.is_pick for turn in picked.turns] == [True, False, True, False]
    assert [turn.number for turn in picked.turns] == [1, 1, 2, 2]
    assert (picked.spoken, len(assumed(picked))) == (2, 2)
    assert all(words.startswith("assuming anna chooses ") for words in assumed(picked))
    drawn = planned(tmp_path, text % "random", is_seeded=False)
    assert len([words for words in assumed(drawn) if words.startswith("assuming chance draws")]) == 2
    assert assumed(planned(tmp_path, text % "random")) == []


def test_lists_that_come_from_replies(tmp_path: Path) -> None:
    """How many items they have is assumed."""
    text = "turns: [anna, {repeat: [ben], for: line, in: last.content.splitlines()}]"
    plan = planned(tmp_path, text)
    assert labels(plan) == ["Anna", "Ben"]
    assert assumed(plan) == ["assuming `last.content.splitlines()` gives as much as it does of the placeholders"]


def test_branches_come_in_declared_order(tmp_path: Path) -> None:
    """Each hears what was said before the block, and whoever comes after it hears all."""
    plan = planned(tmp_path, "turns: [{parallel: [anna], times: 2}, ben]")
    assert labels(plan) == ["Anna", "Anna 2", "Ben"]
    assert text_of(plan, 2) == "You plan.\nBegin."
    assert "⟨Anna, turn 1: up to 400 tokens⟩\n\nAnna 2: ⟨Anna, turn 2: up to 400 tokens⟩" in text_of(plan, 3)
    assert plan.turns[2].prompt >= 800


def test_scenes_that_play_a_file(tmp_path: Path) -> None:
    """Their turns are planned with their own places; what is given to them from a reply is unknown there."""
    (tmp_path / "inner.yaml").write_text(
        """
name: inner
inputs: {topic: {type: string}, often: {type: integer, default: 2}}
roles: {carl: {model: "c:1b", prompt: Speak.}}
opening: "{{ topic }}"
turns:
  - {repeat: [carl], until: "'x' in topic", times: "{{ often }}"}
  - {say: carl, when: often == 2}
""",
        encoding="utf-8",
    )
    plan = planned(tmp_path, 'turns: [anna, {scene: inner.yaml, with: {topic: "{{ last }}"}}, ben]')
    assert labels(plan) == ["Anna", "carl", "carl", "carl", "Ben"]
    assert plan.turns[1].place == f"{tmp_path / 'inner.yaml'}:7:15"
    assert assumed(plan) == ["assuming `'x' in topic` does not hold, and the loop continues"]
    assert text_of(plan, 2) == "Speak.\n⟨Anna, turn 1: up to 400 tokens⟩"
    known = planned(tmp_path, "turns: [{scene: inner.yaml, with: {topic: x}}]")
    assert (labels(known), assumed(known)) == (["carl", "carl"], [])


def test_people(tmp_path: Path) -> None:
    """A person has no model and no tokens that anybody could count."""
    head = "name: test\nroles:\n  me: {human: true}\n  ben: {model: b, prompt: You judge.}\nopening: Begin.\n"
    plan = planned(tmp_path, "turns: [me, ben, me, ben]", head=head)
    assert [turn.model for turn in plan.turns] == [None, "b", None, "b"]
    assert plan.switches == 0
    assert "⟨me, turn 1: what a person says⟩" in text_of(plan, 2)


def test_limits_that_may_end_it_sooner(tmp_path: Path) -> None:
    """What replies cost is not known; where they might reach a limit is."""
    plan = planned(tmp_path, "turns: [anna, anna, anna]\nlimits: {max_total_tokens: 1000, max_time: 5m}")
    assert plan.limits == (
        "max_total_tokens, 1,000, may be used up by turn 2",
        "max_time, 300s, may be over before that",
    )


def test_no_end_that_is_known(tmp_path: Path) -> None:
    """A loop that only a reply ends is planned so far, and said to continue."""
    plan = planned(tmp_path, "turns: [{repeat: [anna], until: last}]\nlimits: {max_turns: 5000}")
    assert plan.is_cut
    assert len(plan.turns) == 1000


def test_a_request_that_cannot_be_told(tmp_path: Path) -> None:
    """A template that fails over the placeholders says so at its turn, and the plan ends there."""
    plan = planned(tmp_path, 'turns: [anna, {say: ben, instruction: "{{ 1 // (last.content | length - 32) }}"}]')
    assert "zero" in plan.turns[-1].trouble
    assert plan.reason == "error"


def test_what_is_made_up_may_repeat_itself(tmp_path: Path) -> None:
    """Two equal placeholders are no speaker that goes round in circles: the limit on that ends no plan."""
    head = "name: test\nroles: {anna: {model: a, prompt: Count., format: {good: {const: true}}}}\nopening: Begin.\n"
    plan = planned(tmp_path, "turns: [anna, anna, anna]\nlimits: {repetition: 2}", head=head)
    assert (len(plan.turns), plan.reason) == (3, "turns_done")
