"""What a run says of the place of all its models, laid over what the pipeline's roles say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llm_gc.backends import SERVERS
from llm_gc.backends.embedded.model_store import ModelStore
from llm_gc.files.opening import project_root
from llm_gc.language.pipeline import Pipeline
from llm_gc.project import Loaded
from llm_gc.values.safe_text import mask

KEYS = ("host", "backend")


def placed(loaded: Loaded, host: str | None, backend: str | None) -> Loaded:
    """Return the pipeline with all models on the server at ``host`` and of the kind ``backend``, where given.

    So what one server does for all of them (load options, requests in flight) is settled as for one server, and the
    transcript tells where they ran; a password in the address is not told.
    """
    given = {"host": mask(host) if host else None, "backend": backend if backend in SERVERS else None}
    over = {key: value for key, value in given.items() if value is not None}
    if not over:
        return loaded
    return replace(_placed(loaded, over), places={**loaded.places, **over})


def model_store(loaded: Loaded, environ: Mapping[str, str], recorded: Sequence[str] = ()) -> ModelStore:
    """Return what finds the files of a pipeline's embedded models.

    Those that the user has laid over the pipeline may be anywhere, now or by what is ``recorded``; those that it names
    itself are in its project alone.
    """
    over = loaded.document.overrides
    named = [one.value for one in over if one.path[-1:] == ("model",) and isinstance(one.value, str)]
    named += [text.removeprefix("--model ").rpartition("=")[2] for text in recorded if text.startswith("--model ")]
    root = project_root(Path(loaded.file).absolute().parent)
    return ModelStore(root, frozenset(named), environ)


def placed_again(loaded: Loaded, overrides: Sequence[str]) -> Loaded:
    """Return the pipeline with its models where those of a record were, by the ``overrides`` that the record has."""
    pairs = (text.removeprefix("--").partition(" ") for text in overrides)
    given = {key: value for key, _, value in pairs if key in KEYS}
    return placed(loaded, given.get("host"), given.get("backend"))


def _placed(loaded: Loaded, over: Mapping[str, Any]) -> Loaded:
    scenes = {name: _placed(scene, over) for name, scene in loaded.scenes.items()}
    return replace(loaded, pipeline=_moved(loaded.pipeline, over), scenes=scenes)


def _moved(pipeline: Pipeline, over: Mapping[str, Any]) -> Pipeline:
    roles = {name: role if role.human else role.model_copy(update=dict(over)) for name, role in pipeline.roles.items()}
    return pipeline.model_copy(update={"roles": roles})
