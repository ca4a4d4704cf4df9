"""What a text depends on."""

from __future__ import annotations

import pytest

from llm_gc.model_checker.condition_vars import compares_text, condition_texts, parsed


def test_what_a_way_hangs_on() -> None:
    """The words of conditions and comparisons, and of what picks an item; not what is shown."""
    assert condition_texts("{% if a.n > 5 %}{{ b.m }}{% endif %}", "template") == {"a", "n"}
    assert condition_texts("{{ list[c.k] if d else e }}", "template") == {"c", "k", "d"}
    assert condition_texts("{{ a.b }}", "template") == frozenset()


@pytest.mark.parametrize(
    ("expression", "does"),
    [
        ("last | int > 5", True),
        ("said.anna == 'yes'", True),
        ("'x' in plan", True),
        ("plan", False),
        ("last.data.n > 5", False),
        ("last.role == 'anna' and plan", False),
        ("plan is defined", False),
    ],
)
def test_what_a_message_says_is_weighed(expression: str, does: bool) -> None:
    """Where it is compared, or goes through a filter; not where one asks whether there is any."""
    tree = parsed(expression, "expression")
    assert tree is not None
    assert compares_text(tree, {"plan"}) is does


def test_what_cannot_be_read_hangs_on_nothing() -> None:
    """Whoever renders it says so."""
    assert parsed("last.", "expression") is None
    assert condition_texts("last.", "expression") == frozenset()
