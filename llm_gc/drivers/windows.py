"""What each role can need of its model's context window, which decides the windows that nobody gives.

It holds for all values of the inputs: the same pipeline has the same windows in every row of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llm_gc.check.needs import needs
from llm_gc.drivers.resolved import stages
from llm_gc.project import Loaded
from llm_gc.protocol import Casting


def cast_with_needs(loaded: Loaded, inputs: Mapping[str, Any]) -> list[Casting]:
    """Return how all roles are played, those of the scenes' pipelines too, with what each can need of its window.

    Raises:
        TemplateError: where a template over the inputs fails.

    """
    found = []
    for where, stage in stages(loaded, inputs):
        known = needs_of(where)
        found += [replace(casting, needs=known.get(name)) for name, casting in stage.castings.items()]
    return found


def needs_of(loaded: Loaded) -> dict[str, int]:
    """Return by role what it can need; nothing where older messages are dropped, so that anything will do.

    The pipelines that its scenes play are not looked at, nor one whose roles all say how large their windows are.
    """
    pipeline = loaded.pipeline
    is_open = any(role.num_ctx is None and "num_ctx" not in role.options for role in pipeline.roles.values())
    if not is_open or pipeline.limits.on_overflow == "drop_oldest":
        return {}
    found = needs(pipeline, loaded.prompts, {name: scene.pipeline for name, scene in loaded.scenes.items()})
    return {name: found.get(name, 0) for name in pipeline.roles}
