"""The tiny model that tests make for themselves: always the same, and one that the engine takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import tiny_gguf

gguf: Any = pytest.importorskip("gguf", reason="gguf is not installed: the tiny model cannot be made")


def test_it_is_the_same_to_the_byte(tmp_path: Path) -> None:
    """Two writes give one file: what tests see of it can be written down."""
    first, second = (tiny_gguf.write(tmp_path / name).read_bytes() for name in ("a.gguf", "b.gguf"))
    assert first == second
    assert first.startswith(b"GGUF")
    assert len(first) < 400_000


def test_what_can_be_chosen_is_in_the_file(tmp_path: Path) -> None:
    """The window it was trained for, and the template: another one, or none."""
    fields = gguf.GGUFReader(tiny_gguf.write(tmp_path / "a.gguf", window=512, template="{{ 1 }}")).fields
    assert fields["llama.context_length"].contents() == 512
    assert fields["tokenizer.chat_template"].contents() == "{{ 1 }}"
    bare = gguf.GGUFReader(tiny_gguf.write(tmp_path / "b.gguf", template=None)).fields
    assert "tokenizer.chat_template" not in bare
