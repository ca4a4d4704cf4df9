"""What the tests of the exploration have in common: pipelines from text, explored and reported."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from llm_gc import project
from llm_gc.core import Conversation, Files
from llm_gc.model_checker.default_inputs import default_inputs
from llm_gc.model_checker.rehearse import RehearsalReport, rehearse
from llm_gc.model_checker.search import MAX_STATES, Exploration, Search
from llm_gc.model_checker.state_key import StateKey, States
from llm_gc.project import Loaded
from llm_gc.testing.scripted import Played, Script, play
from llm_gc.transcript.cases import Case
from tests.commands import ROOT
from tests.talks import pipeline

CASES = ROOT / "tests" / "cases" / "rehearse"


class Unmerged(States):
    """Gives each state a key of its own."""

    _numbers = count()

    def key(self, conversation: Conversation) -> StateKey:
        """Return one that no other state has."""
        return StateKey(next(self._numbers), None)


def explore(turns: Sequence[Any], *, max_states: int = MAX_STATES, **keys: Any) -> Exploration:
    """Explore a pipeline of these turns."""
    files = keys.pop("files", Files())
    inputs = keys.pop("given", {})
    states = keys.pop("states", States)
    return Search(pipeline(turns, **keys), inputs, files, max_states=max_states, states=states).run()


def load(name: str) -> Loaded:
    """Load one of the pipelines in which a fault is planted."""
    return project.load(str(CASES / f"{name}.yaml"))


def report(loaded: Loaded, **options: Any) -> RehearsalReport:
    """Rehearse a pipeline with inputs of its own."""
    return rehearse(loaded, default_inputs(loaded.pipeline, {}), **options)


def faults(reported: RehearsalReport) -> list[tuple[str, list[str]]]:
    """Return each fault's code, with the replies on the shortest way to it."""
    found = [told for told in reported.findings if not told.is_note]
    return [(told.finding.code, [f"{said.who}: {said.reply}" for said in told.way or ()]) for told in found]


def played(loaded: Loaded, case: Any, inputs: Any = None) -> Played:
    """Play a proposed case as a test file's cases are played."""
    read = Case.model_validate(case)
    over = [f"{path}={json.dumps(value)}" for path, value in (read.set_ or {}).items()]
    again = project.load(str(Path(loaded.file)), over) if over else loaded
    values = inputs if inputs is not None else {k: v.value for k, v in default_inputs(again.pipeline, {}).items()}
    return play(Conversation(again.pipeline, values, again.files), Script(read.replies))
