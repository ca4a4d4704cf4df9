"""A document whose files are at hand, as in a transcript, to a checked pipeline."""

from __future__ import annotations

from collections.abc import Mapping

from llm_gc.check import run_rules
from llm_gc.check.cut import typed
from llm_gc.documents import Document
from llm_gc.errors import PipelineError
from llm_gc.project.loaded import Loaded, located
from llm_gc.templates import Templates
from llm_gc.texts import scene_files, texts


def assemble(
    document: Document, prompts: Mapping[str, str], scenes: Mapping[str, Loaded], *, check: bool = True
) -> Loaded:
    """Give the pipeline of a document whose prompt files and scenes are at hand; ``check`` it by the rules too.

    Raises:
        PipelineError: with everything that is wrong in it.

    """
    read, compiled = typed(document.data), Templates(prompts)
    if read.pipeline is None or read.problems:
        raise PipelineError([located(document, None, {}, "shape", problem) for problem in read.problems])
    pipeline = read.pipeline
    missing = [text for text in texts(pipeline) if text.file is not None and text.file not in prompts]
    findings = [
        document.finding(text.path, "unreadable-template", f"there is no file {text.file!r} in the transcript")
        for text in missing
    ]
    findings += [
        document.finding(path, "missing-file", f"there is no pipeline {name!r} in the transcript")
        for path, name in scene_files(pipeline)
        if name not in scenes
    ]
    if check and not findings:
        problems = run_rules(pipeline, compiled, {name: scene.pipeline for name, scene in scenes.items()})
        findings = [located(document, None, compiled, code, problem) for code, problem in problems]
    if any(finding.severity == "error" for finding in findings):
        raise PipelineError(findings)
    return Loaded(document.file, document, pipeline, compiled, None, tuple(findings), scenes)
