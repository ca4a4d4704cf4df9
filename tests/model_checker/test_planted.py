"""Planted faults: in each pipeline of tests/cases/rehearse there is one, and it is found by the shortest way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_gc import project
from llm_gc.model_checker import rehearse as reporting
from llm_gc.model_checker.conditions import Conditions
from llm_gc.model_checker.findings import wrong
from llm_gc.model_checker.pipelines import pipeline_parts
from llm_gc.model_checker.reply_classes import ReplyClasses, Way
from llm_gc.model_checker.scripts import retold
from llm_gc.model_checker.search import Search
from llm_gc.model_checker.simulator import Simulator
from llm_gc.protocol import Ask
from tests.model_checker.exploring import CASES, Unmerged, faults, load, played, report

PLANTED: dict[str, tuple[str, list[str]]] = {
    "chance-in-a-branch": (
        "template",
        ["writer: a plain text", "critic: a plain text", "writer: a plain text", "reader: a plain text"],
    ),
    "empty-list": ("template", ['planner: {"tasks": []}']),
    "endless-choice": ("endless", ["writer: a plain text", 'chair (choosing): {"next": "sceptic"}']),
    "endless-in-a-scene": ("endless", ['chair: {"mode": "long"}']),
    "item-of-a-long-list": ("template", ['planner: {"parts": [{"weight": 3}, {"weight": 0}]}']),
    "never-holds": ("never-run", []),
    "number-in-a-prompt": ("template", ['judge: {"risk": 6, "list": ["Some words.", "Some words."]}']),
    "number-in-no-branch": ("template", ['judge: {"score": 40}']),
    "overflow": ("overflow", ['critic: {"again": true}', *["writer: a plain text"] * 3]),
    "scene-without-result": ("no-result", ["writer: a plain text", "writer: an error or a timeout"]),
    "stopped-too-early": ("no-result", ["writer: a text with DONE"]),
    "unknown-role": ("unknown-choice", ['classifier: {"field": "lawyer"}']),
    "unset-on-one-branch": ("template", ['asker: {"plan": false}']),
}
"""What is wrong in each, and the shortest way to it."""

MENDED: dict[str, tuple[str, str]] = {
    "chance-in-a-branch": ("{'critic': 'stern'}", "{'critic': 'stern', 'reader': 'kind'}"),
    "empty-list": ("plan.data.tasks[0]", "plan.data.tasks | first | default('nothing')"),
    "endless-choice": ("doubter: [sceptic]", "doubter: [sceptic, editor]"),
    "endless-in-a-scene": ("and plan", "or plan"),
    "item-of-a-long-list": ("'heavy'", "'heavy', 'too heavy'"),
    "never-holds": ("score > 10", "score > 9"),
    "number-in-a-prompt": ("list[3]", "list | join(', ')"),
    "number-in-no-branch": ("> thresholds", ">= thresholds"),
    "overflow": ("num_ctx: 700", "num_ctx: 900"),
    "scene-without-result": ('result: "{{ verdict }}"', 'result: "{{ verdict if verdict is defined else last }}"'),
    "stopped-too-early": ("stop: [DONE]", "stop: [{token: DONE, role: judge}]"),
    "unknown-role": ("coder, writer, lawyer", "coder, writer"),
    "unset-on-one-branch": ("when: last.data.plan", "else: [{say: worker, as: plan}]\n    when: last.data.plan"),
}
"""What to write in its place, so that nothing is wrong any more."""

every = pytest.mark.parametrize("name", PLANTED)


def test_every_pipeline_is_looked_for() -> None:
    """No case has been left behind."""
    assert {file.stem for file in CASES.glob("*.yaml")} == set(PLANTED)


@every
def test_the_fault_is_found(name: str) -> None:
    """That fault and no other, with the shortest sequence of replies that leads there."""
    reported = report(load(name))
    assert faults(reported) == [PLANTED[name]]
    assert all(finding.is_shortest for finding in reported.findings if finding.way)


@every
def test_its_twin_without_the_fault_is_clean(name: str, tmp_path: Path) -> None:
    """Mended in one place, nothing is said of it that is not so."""
    wrong_, right = MENDED[name]
    text = (CASES / f"{name}.yaml").read_text(encoding="utf-8")
    assert text.count(wrong_) == 1
    (tmp_path / f"{name}.yaml").write_text(text.replace(wrong_, right), encoding="utf-8")
    reported = report(project.load(str(tmp_path / f"{name}.yaml")))
    assert [str(told_.finding) for told_ in reported.findings] == []


@pytest.mark.parametrize("name", [name for name, (code, way) in PLANTED.items() if way and code != "endless"])
def test_no_way_is_shorter(name: str) -> None:
    """Where no states are merged, so that every way is gone, none to the fault has fewer replies."""
    code, way = PLANTED[name]
    loaded = load(name)
    whole = Search(loaded.pipeline, {}, loaded.files, max_states=400, states=Unmerged).run()
    found = list(wrong(whole, list(pipeline_parts(loaded.pipeline, loaded.files))))
    assert [one.code for one in found if not one.is_note] == [code]
    assert [len(retold(one.at)) for one in found if one.at and not one.is_note] == [len(way)]


@every
def test_the_proposed_case_shows_it(name: str) -> None:
    """Played as a test file's case, it goes as is expected there."""
    loaded = load(name)
    for finding in report(loaded).findings:
        if finding.way is None:
            continue
        assert finding.case is not None
        done, expected = played(loaded, finding.case), finding.case["expect"]
        assert done.missing is None
        assert done.left == ()
        assert done.conversation.outcome is not None
        assert done.conversation.outcome.reason == expected["ended"]


def without_errors(self: ReplyClasses, ask: Ask) -> Iterator[Way]:
    """Return the replies that do not fail: what is left where the error class is dropped."""
    return (way for way in MAKE(self, ask) if way.reply.failure is None and not way.reply.cut)


MAKE = ReplyClasses._make


def one_value(self: Any) -> list[Any]:
    """Return the plain case alone, in the place of every value that a structured reply may have."""
    return self._of(self._root, "", 0)[:1]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("scene-without-result", lambda m: m.setattr(ReplyClasses, "_make", without_errors)),
        ("unknown-role", lambda m: m.setattr("llm_gc.model_checker.reply_data.ReplyData.all", one_value)),
        ("unset-on-one-branch", lambda m: m.setattr("llm_gc.model_checker.reply_data.ReplyData.all", one_value)),
        ("empty-list", lambda m: m.setattr("llm_gc.model_checker.reply_data.ReplyData.all", one_value)),
        ("stopped-too-early", lambda m: m.setattr(ReplyClasses, "_stops_of", lambda *_: [])),
        ("number-in-no-branch", lambda m: m.setattr(Conditions, "numbers", lambda *_: [])),
        (
            "number-in-a-prompt",
            lambda m: m.setattr("llm_gc.model_checker.condition_vars.condition_texts", lambda *_: frozenset()),
        ),
        ("item-of-a-long-list", lambda m: m.setattr("llm_gc.model_checker.reply_data.ReplyData.all", one_value)),
        ("chance-in-a-branch", lambda m: m.setattr(Simulator, "others", lambda _: iter(()))),
        ("overflow", lambda m: m.setattr("llm_gc.model_checker.reply_classes.CHARACTERS_PER_TOKEN", 1)),
        ("never-holds", lambda m: m.setattr(reporting, "unreached", lambda *_: [])),
        ("endless-choice", lambda m: m.setattr("llm_gc.model_checker.findings.endless", lambda _: None)),
    ],
)
def test_a_broken_exploration_misses_it(
    name: str, broken: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each class of replies, and each judgement, is needed for something: without it the fault stays hidden."""
    broken(monkeypatch)
    assert faults(report(load(name))) != [PLANTED[name]]
