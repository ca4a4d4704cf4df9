"""Mutations of the pipelines that ship: findings or a clean bill, never a traceback, a hang or a heap of memory."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from typing import Any

import pytest

from tests.commands import ROOT, environ
from tests.validation.fuzzing import KINDS, Mutate

MOST = 200
"""Megabytes."""


def fuzzed(count: int, seed: int) -> Any:
    """Check so many mutations in a process of their own; one that takes a minute ends it."""
    words = [sys.executable, "-m", "tests.validation.fuzzing", str(count), str(seed)]
    done = subprocess.run(words, cwd=ROOT, env=environ(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_few_mutations() -> None:
    """Some are found wrong, and some are still right."""
    result = fuzzed(120, 7)
    assert 40 < result["found"] < result["checked"] == 120
    assert result["peak"] < MOST


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_five_thousand_mutations() -> None:
    """Of bytes, of words and of structure, of pipelines, their tests and their prompts."""
    result = fuzzed(5000, 2)
    assert result["checked"] == 5000
    assert result["peak"] < MOST


@pytest.mark.parametrize("mutate", KINDS, ids=lambda mutate: mutate.__name__)
def test_mutations_are_the_same_each_time(mutate: Mutate) -> None:
    """And no two of them are alike, nor like what they were made of."""
    content = (ROOT / "pipelines" / "m1.yaml").read_bytes()
    once, again = ([mutate(random.Random(seed), content, [content]) for seed in range(20)] for _ in range(2))
    assert once == again
    assert len({content, *once}) > 15
