"""Values as far as they are read."""

from __future__ import annotations

from typing import Any

from llm_gc.model_checker.condition_vars import Read
from llm_gc.model_checker.projection import Projection, Tree, mark, unmarked
from llm_gc.protocol import Message
from llm_gc.values.frozen import freeze


def project(value: Any, *chains: str, decides: bool = True) -> Any:
    """Project a value of which these attributes are read."""
    tree = Tree.of(frozenset(Read(("x", *chain.split(".")) if chain else ("x",), decides) for chain in chains))
    return Projection().value(freeze(value), tree.branches["x"])


def message(content: str, data: Any = None, **more: Any) -> Message:
    """Return a message of anna's."""
    return Message("anna", "Anna", content, freeze(data), **more)


def test_only_what_is_read_tells_two_values_apart() -> None:
    """Another attribute may differ."""
    one, two = message("a", {"score": 1, "why": "x"}), message("b", {"score": 1, "why": "y"})
    assert project(one, "data.score") == project(two, "data.score")
    assert project(one, "data.score", "data.why") != project(two, "data.score", "data.why")
    assert project(one, "") != project(two, "")


def test_the_number_of_a_turn_is_no_value() -> None:
    """What was said in another turn may be the same."""
    assert project(message("a", turn=1), "") == project(message("a", turn=2), "")


def test_made_up_texts_are_told_apart_by_which_are_the_same() -> None:
    """Their marks are numbered again, in the order in which they come."""
    first, second = f"Words {mark(3)}.", f"Words {mark(8)}."
    assert project([first, second], "") == project([second, first], "")
    assert project([first, first], "") != project([first, second], "")
    assert project([f"{first}!"], "") != project([first], "")


def test_what_is_shown_has_a_shape() -> None:
    """Long texts, numbers of a sign and lists of one kind are alike; short words and truth values are not."""

    def alike(one: Any, two: Any) -> bool:
        return bool(project(one, "", decides=False) == project(two, "", decides=False))

    assert alike("long " * 30, "other " * 30)
    assert not alike("yes", "no")
    assert not alike("long " * 30, "")
    assert alike(3, 4.5)
    assert not alike(3, 0)
    assert not alike(True, False)
    assert alike([message("a"), message("b")], [message("c")] * 5)
    assert not alike([message("a")], [message("a")] * 2)
    assert not alike([message("a")] * 2, [message("a"), message("", failed=True)])
    assert not alike([], ["a"])
    assert not alike([message("a", {"list": ["b"]})], [message("a", {"list": []})])
    assert not alike({"a": "yes"}, {"a": "no"})


def test_an_attribute_that_is_not_there_is_absent() -> None:
    """A map's method reads all of the map."""
    assert project({"a": 1}, "b") == project({"a": 2}, "b")
    assert project({"a": 1}, "items") != project({"a": 2}, "items")
    assert project(None, "data.score") == project(None, "data.score")
    assert project(None, "data.score") != project({"data": {"score": 1}}, "data.score")


def test_true_is_not_one() -> None:
    """Nor is 1 the same as 1.0 to whoever prints it."""
    assert project(True, "") != project(1, "")
    assert project(1, "") != project(1.0, "")


def test_marks_are_not_for_people() -> None:
    """Nor what is left of one that was cut."""
    assert unmarked(f"Words {mark(12)} of anna.") == "Words 12 of anna."
    assert unmarked(f"Words {mark(12)}"[:-1]) == "Words 12"
