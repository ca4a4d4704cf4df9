"""Everything that is resolved before the first turn: document, seed, facts of the servers, context windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from llm_gc import project
from llm_gc.analysis.window_needs import needs
from llm_gc.backends.interface import Facts
from llm_gc.core import Files
from llm_gc.core.run_context import RunContext
from llm_gc.errors import TemplateError
from llm_gc.language.inputs import resolve as fill
from llm_gc.language.pipeline import Pipeline
from llm_gc.project import Loaded
from llm_gc.protocol import ModelConfig
from llm_gc.runtime.restore import facts_of
from llm_gc.transcript.encode import digest
from llm_gc.transcript.records import PipelineRecord, Transcript
from llm_gc.values.safe_text import mask, masked

Cast = Mapping[str, ModelConfig]


@dataclass(frozen=True)
class Resolved:
    """A pipeline, its files, and the record of both."""

    pipeline: Pipeline
    files: Files
    record: PipelineRecord


def cast(loaded: Loaded, inputs: Mapping[str, Any]) -> list[ModelConfig]:
    """Return how all roles are played, those of the scenes' pipelines too.

    Raises:
        TemplateError: where a template over the inputs fails.

    """
    return [casting for _, stage in stages(loaded, inputs) for casting in stage.castings.values()]


def stages(loaded: Loaded, inputs: Mapping[str, Any]) -> list[tuple[Loaded, RunContext]]:
    """Return what stays the same in a conversation, and in those of its scenes' pipelines.

    Of a scene, it is what its inputs' defaults tell; nothing of it where they do not: it shows when it is played.

    Raises:
        TemplateError: where a template over the inputs fails.

    """
    found = [(loaded, RunContext(loaded.pipeline, inputs, loaded.files))]
    for scene in loaded.scenes.values():
        found += _scene_stages(scene)
    return found


def digests(facts: Facts) -> dict[str, str | None]:
    """Return each model's digest by its name; where two hosts have another one under it, by its name and the host."""
    found: dict[str, dict[str, str | None]] = {}
    for (host, model), about in facts.models.items():
        found.setdefault(model, {})[mask(host) if host else ""] = about.digest
    named: dict[str, str | None] = {}
    for model, places in sorted(found.items()):
        if len(set(places.values())) == 1:
            named[model] = next(iter(places.values()))
            continue
        named |= {f"{model} at {host}" if host else model: digest for host, digest in sorted(places.items())}
    return named


def resolve(loaded: Loaded, inputs: Mapping[str, Any], facts: Facts, seed: int) -> Resolved:
    """Write the seed and each role's context window into the documents."""
    return _resolve(loaded, RunContext(loaded.pipeline, inputs, loaded.files).castings, facts, seed)


def resolve_again(transcript: Transcript, loaded: Loaded) -> tuple[Resolved, dict[str, Any]]:
    """Do for a pipeline, as it is now, what was done when a transcript's conversation began; return its inputs too.

    Raises:
        UsageError: where the inputs do not fit any more.
        TemplateError: where a template over them fails.

    """
    inputs = fill(loaded.pipeline.inputs, transcript.inputs)
    facts = facts_of(transcript, cast(loaded, inputs))
    return resolve(loaded, inputs, facts, transcript.seed), inputs


def _resolve(loaded: Loaded, castings: Cast, facts: Facts, seed: int | None) -> Resolved:
    document = project.document(loaded.pipeline)
    if seed is not None:
        document["seed"] = seed
    for name, casting in castings.items():
        about = facts.models.get((casting.host, casting.model))
        window = casting.options.get("num_ctx", about.num_ctx if about else None)
        if window is not None and document["roles"][name].get("num_ctx") is None:
            document["roles"][name]["num_ctx"] = window
    scenes = {name: _resolve(scene, _scene_cast(scene), facts, None) for name, scene in loaded.scenes.items()}
    inner = {name: scene.record for name, scene in scenes.items()}
    shown = masked(document)
    whole = {"document": shown, "prompts": loaded.prompts, "scenes": inner}
    over = tuple(dict.fromkeys(one.given for one in loaded.document.overrides))
    over += tuple(f"--{key} {value}" for key, value in loaded.places.items())
    record = PipelineRecord(loaded.pipeline.name, loaded.file, digest(whole), shown, loaded.prompts, inner, over)
    files = Files(loaded.prompts, {name: (scene.pipeline, scene.files) for name, scene in scenes.items()})
    return Resolved(Pipeline.model_validate(document), files, record)


def _scene_stages(loaded: Loaded) -> list[tuple[Loaded, RunContext]]:
    known = {name: schema["default"] for name, schema in loaded.pipeline.inputs.items() if "default" in schema}
    try:
        found = [(loaded, RunContext(loaded.pipeline, known, loaded.files))]
    except TemplateError:
        found = []
    return found + [one for scene in loaded.scenes.values() for one in _scene_stages(scene)]


def _scene_cast(loaded: Loaded) -> Cast:
    """Return how a scene's roles are played, as far as its inputs' defaults tell; the rest shows when it is played."""
    return next((stage.castings for scene, stage in _scene_stages(loaded) if scene is loaded), {})


def cast_with_needs(loaded: Loaded, inputs: Mapping[str, Any]) -> list[ModelConfig]:
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
