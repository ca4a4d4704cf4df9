"""What the servers said becomes part of the record."""

from __future__ import annotations

from llm_gc.backends.interface import Facts, ModelFacts
from llm_gc.runtime.resolution import digests


def test_a_models_digest_is_kept_by_its_name() -> None:
    """One name is enough where all hosts have the same; where they differ, each host's is kept, and no password."""
    here, there, gpu = (None, "a"), ("http://gpu", "a"), ("http://me:secret@gpu2", "a")
    same = {here: ModelFacts("9f"), there: ModelFacts("9f"), (None, "b"): ModelFacts()}
    assert digests(Facts("ollama", models=same)) == {"a": "9f", "b": None}
    other = {here: ModelFacts("9f"), there: ModelFacts("00"), gpu: ModelFacts(None)}
    assert digests(Facts("ollama", models=other)) == {"a": "9f", "a at http://gpu": "00", "a at http://gpu2": None}
