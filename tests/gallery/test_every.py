"""What holds for every pipeline that ships: it is clean and short, it ends, and it survives any turn that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Literal

import pytest

import llm_gc
from llm_gc.backends.rehearsal import Rehearsal
from llm_gc.backends.sampling import sample
from llm_gc.protocol import Ask, Reply
from llm_gc.testing.playing import CaseRun
from tests.commands import ROOT
from tests.gallery.plays import PIPELINES, Play, load, names, perform
from tests.growing import extends, messages, pairs, sees_all
from tests.talks import failed

SCHEMA_COMMENT = "# yaml-language-server: $schema=../schemas/pipeline.schema.json"

OnError = Literal["continue", "stop"]

every = pytest.mark.parametrize("name", names())


def inputs(name: str) -> dict[str, Any]:
    """Generate the inputs that have no default; a text has three lines."""
    needed = {key: schema for key, schema in load(name).pipeline.inputs.items() if "default" not in schema}
    text = "a kite\na boat\na lamp"
    return {
        key: text if schema.get("type") == "string" else sample(schema, Random(1)) for key, schema in needed.items()
    }


def rehearsed(name: str, fails: Container[int] = (), on_error: OnError = "continue") -> Play:
    """Play a pipeline with made-up replies, of which some fail: those of these numbers, counted from 0."""
    backend, count = Rehearsal(), -1

    def answer(ask: Ask) -> Reply:
        nonlocal count
        count += 1
        return failed() if count in fails else runner.run(backend.reply(ask))

    with asyncio.Runner() as runner:
        return perform(name, answer, inputs(name), on_error=on_error)


@every
def test_it_is_clean_short_and_says_what_it_does(name: str) -> None:
    """No finding, at most 60 lines, the schema for editors first; inputs are explained, and one at most is needed."""
    lines = (PIPELINES / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    loaded = load(name)
    assert loaded.warnings == ()
    assert (lines[0], loaded.pipeline.name) == (SCHEMA_COMMENT, name)
    assert len(lines) <= 60
    assert loaded.pipeline.description
    assert all(schema.get("description") for schema in loaded.pipeline.inputs.values())
    assert len(inputs(name)) <= 1


@every
def test_its_cases_come_to_everything(name: str) -> None:
    """It has a test file whose cases pass, and there is no step, branch or stop that none of them reaches."""
    session = CaseRun([PIPELINES / f"{name}.test.yaml"])
    (tested,) = session.go()
    (coverage,) = session.covered.values()
    assert (tested.broken, tested.failed, tested.left_out) == (None, [], 0)
    assert tested.passed > 0
    assert [str(finding) for finding in coverage.findings()] == []


def test_every_prompt_is_used() -> None:
    """No pipeline has left one behind."""
    prompts = ROOT / "prompts"
    files = {file.relative_to(prompts).as_posix() for file in prompts.rglob("*.j2")}
    assert files == {file for name in names() for file in load(name).prompts}


@every
def test_it_can_be_rehearsed(name: str, tmp_path: Path) -> None:
    """A run with the stand-in ends, and leaves a transcript that says so."""
    transcript = llm_gc.run(PIPELINES / f"{name}.yaml", inputs(name), backend=Rehearsal(), seed=1, sessions=tmp_path)
    assert transcript.status in ("completed", "stopped")


@every
@pytest.mark.parametrize("on_error", ["continue", "stop"])
def test_it_survives_any_turn_that_fails(name: str, on_error: OnError) -> None:
    """With each reply failing once: no template fails, and one that continues after an error reaches a good end."""
    for number in range(len(rehearsed(name).asks)):
        played = rehearsed(name, {number}, on_error)
        outcome = played.outcome
        assert outcome.failure != "template", f"where {played.asks[number].id} fails: {outcome.detail}"
        if on_error == "continue":
            assert outcome.status in ("completed", "stopped"), f"where {played.asks[number].id} fails: {outcome.detail}"
            assert outcome.result is not None
        else:
            assert outcome.status != "failed" or outcome.detail == "It broke."


@every
def test_it_survives_many_turns_that_fail(name: str) -> None:
    """Whatever is left of it: no template fails, and it has failed only where every turn did."""
    for salt in range(12):
        fails = {number for number in range(100) if Random(f"{salt} {number}").random() < (0.3, 0.6, 0.9)[salt % 3]}
        played = rehearsed(name, fails)
        assert played.outcome.failure != "template", f"where {sorted(fails)} fail: {played.outcome.detail}"
        spoke = any(not message.failed for message in played.conversation.messages)
        assert (played.outcome.status == "failed") != spoke


@every
def test_what_is_sent_is_well_formed(name: str) -> None:
    """The system prompt is first and alone, kinds alternate, the last is the user's, and no space depends on."""
    for ask in rehearsed(name).asks:
        kinds = [kind for kind, _ in messages(ask)]
        assert "system" not in kinds[1:]
        assert kinds[-1] == "user"
        assert all(one != two for one, two in pairwise(kinds))
        assert all(text == text.strip() for _, text in messages(ask))


@every
@pytest.mark.parametrize("fails", [(), (1,), (0, 3, 4)])
def test_requests_only_grow_at_their_end(name: str, fails: tuple[int, ...]) -> None:
    """While a speaker sees all, what it is sent begins with what it was sent before in its scene, across blocks too."""
    pipeline = load(name).pipeline
    for earlier, later in pairs(rehearsed(name, fails).conversation, lambda ask: sees_all(pipeline, ask)):
        assert extends(messages(later), messages(earlier)), f"{later.id} does not begin with {earlier.id}"
