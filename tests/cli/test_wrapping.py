"""Text that streams to a terminal: where it is cut on its way makes no difference to what is shown."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_gc.cli.renderers import Wrap

QUICK = settings(max_examples=100, derandomize=True, deadline=None, database=None)

CODE = "Here:\n\n```python\ndef f(x):\n    if x:\n        return  1\n\n\tpass\n```\nSo  be   it.\n"


def shown(pieces: list[str], width: int = 40) -> str:
    """Return what a terminal of this width shows of a text that comes in these pieces."""
    wrap = Wrap(width)
    return "".join(map(wrap.feed, pieces)) + wrap.flush()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_code_keeps_its_indentation(size: int) -> None:
    """Also where the spaces in front of a line come one by one, as from a model's tokens."""
    assert shown([CODE[at : at + size] for at in range(0, len(CODE), size)]) == CODE


@QUICK
@given(st.lists(st.text(alphabet="ab \n\t`", max_size=5), max_size=30))
def test_where_a_text_is_cut_makes_no_difference(pieces: list[str]) -> None:
    """It is shown as if it had come whole."""
    assert shown(pieces, 20) == shown(["".join(pieces)], 20)
