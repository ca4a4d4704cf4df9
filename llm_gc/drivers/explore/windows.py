"""Context windows apart from the walk: what does not fit is judged here, and nothing is dropped or refused on a way.

A conversation that knows its windows renders every request to see whether it fits. A walk to a state would so cost far
more than it has to; and which messages are dropped concerns nothing but prompts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_gc.conversation import Files
from llm_gc.conversation.stage import Stage
from llm_gc.errors import TemplateError
from llm_gc.pipeline import Pipeline, Role
from llm_gc.protocol import Ask, Path
from llm_gc.steps.scene import Scene
from llm_gc.texts import models


class Windows:
    """The context window of each role, as far as it is declared; in the pipelines of scenes too."""

    def __init__(self, pipeline: Pipeline, inputs: Mapping[str, Any], files: Files) -> None:
        """Work them out. Inputs of a scene's pipeline have their defaults here.

        Raises:
            TemplateError: where a template over the inputs fails.

        """
        castings = Stage(pipeline, inputs, files).castings
        self._known: dict[Path, dict[str, Any]] = {(): {name: one.options for name, one in castings.items()}}
        self._scenes(pipeline, files, ())

    def _scenes(self, pipeline: Pipeline, files: Files, path: Path) -> None:
        for at, model in models(pipeline.turns, (*path, "turns")):
            if isinstance(model, Scene) and isinstance(model.scene, str) and model.scene in files.scenes:
                inner, inner_files = files.scenes[model.scene]
                given = {name: schema["default"] for name, schema in inner.inputs.items() if "default" in schema}
                try:
                    castings = Stage(inner, given, inner_files).castings
                except TemplateError:
                    castings = {}  # without its inputs it cannot be told
                self._known[(*at, "scene")] = {name: one.options for name, one in castings.items()}
                self._scenes(inner, inner_files, (*at, "scene"))

    def of(self, ask: Ask) -> int | None:
        """Give the context window of whoever is asked; none where it is left to the server."""
        part = max((path for path in self._known if ask.step[: len(path)] == path), key=len)
        window = self._known[part].get(ask.speaker.role, {}).get("num_ctx")
        return window if isinstance(window, int) else None


def windowless(pipeline: Pipeline) -> Pipeline:
    """Give a pipeline of which no role declares a window."""
    roles = {name: _windowless(role) for name, role in pipeline.roles.items()}
    return pipeline.model_copy(update={"roles": roles})


def windowless_files(files: Files) -> Files:
    """Give the files of such a pipeline."""
    scenes = {name: (windowless(scene), windowless_files(inner)) for name, (scene, inner) in files.scenes.items()}
    return Files(files.prompts, scenes)


def _windowless(role: Role) -> Role:
    options = {key: value for key, value in role.options.items() if key != "num_ctx"}
    return role.model_copy(update={"num_ctx": None, "options": options})
