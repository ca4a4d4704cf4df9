"""Headers of models' files: what they say, and that nothing in them is trusted."""

from __future__ import annotations

import contextlib
import random
import struct
from pathlib import Path

import pytest

from llm_gc.backends.embedded import gguf_file
from llm_gc.backends.embedded.gguf_file import BadModelFile
from tests import tiny_gguf


def test_a_header_is_read(made: Path) -> None:
    """The window, the template, and what a token takes in the cache: two layers of two heads, keys and values."""
    found = gguf_file.read(made)
    assert (found.architecture, found.name, found.trained) == ("llama", "Tiny Random", 4096)
    assert found.token_size == 2 * 2 * (16 + 16) * 2
    assert found.template == tiny_gguf.CHATML
    assert found.size == made.stat().st_size
    assert not found.can_think


def test_a_model_in_several_files(made: Path, tmp_path: Path) -> None:
    """All parts count; a missing one is told."""
    first, second = (tmp_path / f"big-0000{number}-of-00002.gguf" for number in (1, 2))
    first.write_bytes(made.read_bytes())
    with pytest.raises(BadModelFile, match=r"the first of 2 files, and big-00002-of-00002\.gguf is not beside it"):
        gguf_file.read(first)
    second.write_bytes(made.read_bytes())
    assert gguf_file.read(first).size == 2 * made.stat().st_size


def test_a_header_without_a_model(tmp_path: Path) -> None:
    """A file that is GGUF and holds nothing."""
    path = tmp_path / "a.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
    with pytest.raises(BadModelFile, match="names no architecture"):
        gguf_file.read(path)


@pytest.mark.parametrize("seed", range(30))
def test_mutated_headers_are_refused_or_read(made: Path, tmp_path: Path, seed: int) -> None:
    """Whatever is in a header, it is read in bounded time, or there is a reason in words."""
    rng = random.Random(seed)
    content = bytearray(made.read_bytes())
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(4, 12_000)
        content[at : at + 8] = rng.choice([b"\xff" * 8, b"\0" * 8, rng.randbytes(8)])
    path = tmp_path / "a.gguf"
    path.write_bytes(content)
    with contextlib.suppress(BadModelFile):
        assert gguf_file.read(path).size == len(content)
