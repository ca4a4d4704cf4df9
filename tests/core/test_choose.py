"""choose: by a role, by chance, by a template; from a list, from a template, from a table of who may follow whom."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from typing import Any

from llm_gc.core import Conversation
from tests.talks import answer_all, failed, speakers, talk

ROLES = {
    "anna": {"description": "Knows numbers."},
    "ben": {"description": "Knows words."},
    "mod": {"description": "Leads."},
}


def group(rounds: int = 3, choose: Any = ("anna", "ben"), by: str = "mod", **keys: Any) -> Conversation:
    """Return a conversation in which somebody is chosen in each round."""
    step_keys = {key: keys.pop(key) for key in ("else", "allow_repeat", "instruction", "as") if key in keys}
    choice = list(choose) if isinstance(choose, tuple) else choose
    return talk([{"repeat": [{"choose": choice, "by": by, **step_keys}], "times": rounds}], roles=ROLES, **keys)


def pick(name: str) -> str:
    """Return the reply that chooses."""
    return json.dumps({"next": name})


def test_a_role_chooses_by_a_reply_of_one_name() -> None:
    """It is sent the names with their descriptions, and can answer with one of them only."""
    conversation = group(1)
    (ask,) = conversation.pending
    assert (ask.speaker.role, ask.id) == ("mod", "turns.0.repeat:1.0.by")
    assert ask.format["properties"]["next"]["enum"] == ["anna", "ben"]
    text = ask.request.messages[-1]["content"]
    assert "- anna: Knows numbers." in text
    assert "- ben: Knows words." in text
    assert speakers(answer_all(conversation, pick("ben"), "words")) == ["mod", "ben"]


def test_a_pick_is_no_turn_and_nobody_hears_it() -> None:
    """It is recorded without a number; no other role, and no template, is notified of it."""
    conversation = group(1, choose=("anna", "ben"), instruction="{{ messages | length }}")
    asks = answer_all(conversation, pick("ben"), "words")
    assert asks[1].request.messages == [{"role": "user", "content": "Begin.\n\n0"}]
    picked, spoken = conversation.turns
    assert (picked.number, picked.heard, picked.is_pick) == (None, False, True)
    assert spoken.number == 1


def test_nobody_twice_in_a_row() -> None:
    """Whoever spoke last is not among the names; with allow_repeat: true it is. One alone need not be chosen."""
    roles = [ask.speaker.role for ask in answer_all(group(3), pick("ben"), "b")]
    assert roles == ["mod", "ben", "anna", "ben"]
    again = group(2, allow_repeat=True)
    asks = answer_all(again, pick("ben"), "b", pick("ben"), "b")
    assert speakers(asks) == ["mod", "ben", "mod", "ben"]


def test_a_choice_that_fails_or_strays_falls_back() -> None:
    """To ``else``, or to the first that is allowed."""
    assert speakers(answer_all(group(1), failed())) == ["mod", "anna"]
    assert speakers(answer_all(group(1, **{"else": "ben"}), pick("zoe"), pick("zoe"))) == ["mod", "mod", "ben"]


def test_by_chance_is_seeded() -> None:
    """The same seed draws the same, another one differently; over many draws everybody comes."""

    def drawn(seed: int) -> list[str]:
        return speakers(answer_all(group(30, by="random", allow_repeat=True, seed=seed)))

    assert drawn(1) == drawn(1) != drawn(2)
    assert min(Counter(drawn(3)).values()) > 5


def test_by_chance_nobody_twice_in_a_row() -> None:
    """The newest speaker is left out of the draw."""
    roles = speakers(answer_all(group(20, choose=("anna", "ben", "mod"), by="random")))
    assert all(one != two for one, two in pairwise(roles))


def test_by_a_template() -> None:
    """It gives a name; a stray one falls back, none at all lets nobody speak."""
    conversation = talk(["anna", {"choose": ["ben", "mod"], "by": "{{ last.content }}"}, "anna"], roles=ROLES)
    assert speakers(answer_all(conversation, "mod")) == ["anna", "mod", "anna"]
    stray = talk(["anna", {"choose": ["ben", "mod"], "by": "{{ last.content }}"}], roles=ROLES)
    assert speakers(answer_all(stray, "zoe")) == ["anna", "ben"]
    nobody = talk(["anna", {"choose": ["ben", "mod"], "by": "{{ none }}"}, "anna"], roles=ROLES)
    assert speakers(answer_all(nobody)) == ["anna", "anna"]


def test_a_table_of_who_may_follow() -> None:
    """From the newest speaker to the next; at first all its keys; a sink lets nobody speak and so ends an open loop."""
    table = {"anna": ["ben"], "ben": ["mod"], "mod": []}
    conversation = talk([{"repeat": [{"choose": table, "by": "random"}]}], roles=ROLES, seed=1)
    roles = speakers(answer_all(conversation))
    assert roles == ["anna", "ben", "mod"][["anna", "ben", "mod"].index(roles[0]) :]
    assert conversation.outcome is not None
    assert conversation.outcome.reason == "turns_done"


def test_a_table_may_let_a_role_follow_itself() -> None:
    """What is written there is allowed."""
    conversation = talk([{"repeat": [{"choose": {"anna": ["anna"]}, "by": "random"}], "times": 3}])
    assert speakers(answer_all(conversation)) == ["anna"] * 3


def test_from_a_template() -> None:
    """A template that gives a list of names."""
    conversation = group(1, choose="{{ ['ben', 'nobody'] }}", by="random")
    assert speakers(answer_all(conversation)) == ["ben"]


def test_the_choosers_requests_only_grow() -> None:
    """What it was asked and what it chose stay in its own requests, so that its prefix can be reused."""
    asks = answer_all(
        group(3, choose=("anna", "ben", "mod"), allow_repeat=True), pick("ben"), "b", pick("anna"), "a", pick("ben")
    )
    own = [ask.request.messages for ask in asks if ask.id.endswith(".by")]
    for earlier, later in pairwise(own):
        assert later[: len(earlier) - 1] == earlier[:-1]
        assert later[len(earlier) - 1]["content"].startswith(earlier[-1]["content"])
