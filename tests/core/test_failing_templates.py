"""A template that fails while it runs: what the outcome says, and where it says it is."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.errors import TemplateError
from tests.talks import failed, said, talk

PROMPTS = {"anna.j2": "You are Anna.\nYou like {{ thing }}."}


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        (
            {"turns": [{"do": ["anna", {"say": "ben", "instruction": "{{ thing }}"}]}]},
            "turns.0.do.1.instruction, line 1",
        ),
        ({"turns": [{"repeat": ["ben"], "until": "thing"}]}, "turns.0.until, line 1"),
        ({"turns": ["ben", {"end": "\nSee {{ thing }}"}]}, "turns.1.end, line 2"),
        ({"turns": ["ben"], "result": "{{ thing }}"}, "result, line 1"),
        ({"turns": ["ben"], "stop": [{"when": "thing"}]}, "turns.0, stop.0.when, line 1"),
        (
            {"turns": ["ben", {"parallel": ["anna"]}], "roles": {"anna": {"prompt": "anna.j2"}, "ben": {}}},
            "turns.1.parallel.0, anna.j2 (used at roles.anna.prompt), line 2",
        ),
    ],
)
def test_a_template_that_fails_names_pipeline_step_line_and_name(keys: dict[str, Any], where: str) -> None:
    """Wherever it is: in a step, in a role's prompt file, at the top."""
    conversation = talk(prompts=PROMPTS, **keys)
    while conversation.outcome is None:
        ask = conversation.pending[0]
        try:
            _ = ask.request
        except TemplateError as error:
            conversation.answer(ask, failed("template", str(error)))
        else:
            conversation.answer(ask, said("ok"))
    assert conversation.outcome.status == "failed"
    assert conversation.outcome.detail == f"pipeline test, {where}: 'thing' is undefined"
