"""What a run says of the place of all its models, laid over what the pipeline's roles say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llm_gc.backends import SERVERS
from llm_gc.backends.wire.hosts import mask
from llm_gc.pipeline import Pipeline
from llm_gc.project import Loaded


def placed(loaded: Loaded, host: str | None, backend: str | None) -> Loaded:
    """Give the pipeline with every model on the server at ``host``, and of the kind ``backend``, where they are given.

    So what one server does for all of them (load options, requests in flight) is settled as for one server, and the
    transcript tells where they ran; a password in the address is not told.
    """
    over = {"host": mask(host) if host else None, "backend": backend if backend in SERVERS else None}
    return _placed(loaded, {key: value for key, value in over.items() if value is not None})


def _placed(loaded: Loaded, over: Mapping[str, Any]) -> Loaded:
    if not over:
        return loaded
    scenes = {name: _placed(scene, over) for name, scene in loaded.scenes.items()}
    return replace(loaded, pipeline=_moved(loaded.pipeline, over), scenes=scenes)


def _moved(pipeline: Pipeline, over: Mapping[str, Any]) -> Pipeline:
    roles = {name: role if role.human else role.model_copy(update=dict(over)) for name, role in pipeline.roles.items()}
    return pipeline.model_copy(update={"roles": roles})
