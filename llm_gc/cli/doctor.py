"""doctor: what is between a pipeline and its servers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from llm_gc.backends import SERVERS
from llm_gc.cli.options import InputsCommand, load_pipeline, pipeline_and_inputs
from llm_gc.cli.output import Piece, err, out
from llm_gc.cli.process import run_async

if TYPE_CHECKING:
    from llm_gc.doctor.diagnosis import Diagnosis, DoctorCase
    from llm_gc.doctor.doctor_report import DiagnosisGroup, Line
    from llm_gc.doctor.needs import Want


_MARKS = {"ok": ("✓", "green"), "note": ("·", "cyan"), "warning": ("!", "yellow"), "error": ("✗", "red")}


@click.command(cls=InputsCommand, context_settings={"auto_envvar_prefix": None})
@pipeline_and_inputs
@click.option("--backend", type=click.Choice(SERVERS), help="Who runs the models, for all roles.")
@click.option("--host", metavar="URL", help="The model server, before a role's own and before OLLAMA_HOST.")
@click.option("--pull", is_flag=True, help="Have Ollama get the models that are missing.")
@click.option("--probe", is_flag=True, help="Load each model and ask it once: does it answer, as it is told to?")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def command(file: str | None, inputs: dict[str, Any], **options: Any) -> int:
    """Examine the servers and models that FILE is to run on; without FILE, the server alone.

    With --backend embedded the models are listed that can run without a server: those in Ollama's store, LM Studio's
    folder and Hugging Face's cache.

    Ends with 0 where nothing is in the way, 1 where something is to be fixed, 3 where a server cannot be reached
    or a model is missing.
    """
    from llm_gc.doctor.checks import diagnose
    from llm_gc.doctor.diagnosis import exit_code
    from llm_gc.doctor.doctor_report import as_data, report

    name, wants = _wants(file, inputs, options) if file is not None else ("", [])
    try:
        cases = run_async(_visit(wants, options))
    except KeyboardInterrupt:
        if options["pull"]:
            err.line("llm-gc: stopped; pulling again continues where this download stopped")
        raise
    found = [diagnose(case) for case in cases]
    flat = [one for diagnoses in found for one in diagnoses]
    if options["as_json"]:
        import json

        out.escaped(json.dumps(as_data(cases, flat), indent=1, ensure_ascii=False))
    else:
        _print(list(report(cases, found, name)))
        _sum_up(flat)
    return exit_code(flat)


def _wants(file: str, inputs: dict[str, str], options: dict[str, Any]) -> tuple[str, list[Want]]:
    from llm_gc.doctor.needs import wants_of
    from llm_gc.errors import PipelineError, TemplateError
    from llm_gc.model_checker.default_inputs import default_inputs
    from llm_gc.runtime.server_override import placed

    loaded = placed(load_pipeline(file, options["overrides"], options["models"]), options["host"], options["backend"])
    values = {name: one.value for name, one in default_inputs(loaded.pipeline, inputs, texts=True).items()}
    try:
        return loaded.pipeline.name, wants_of(loaded, values)
    except TemplateError as error:
        raise PipelineError([loaded.locate(error)]) from error


async def _visit(wants: Sequence[Want], options: dict[str, Any]) -> list[DoctorCase]:
    from llm_gc.doctor.examination import DoctorExamination
    from llm_gc.runtime.server_override import model_store

    loaded = wants[0].loaded if wants else None
    models = model_store(loaded, os.environ) if loaded is not None else None
    visit = DoctorExamination(wants, options["host"], os.environ, options["backend"] or "ollama", models)
    try:
        cases = await visit.examine()
        if options["pull"] and any(case.server.having("missing") for case in cases):
            from llm_gc.cli.progress import pulling

            with pulling() as told:
                await visit.pull(cases, told)
            cases = await visit.examine()
        if options["probe"]:
            cases = await visit.probe(cases, lambda model: err.line(f"probing {model} …"))
        return cases
    finally:
        await visit.aclose()


def _print(groups: Sequence[DiagnosisGroup]) -> None:
    for number, group in enumerate(groups):
        if number:
            out.line()
        out.line((group.title, "bold"))
        for line in group.lines:
            for pieces in _shown(line):
                out.line(*pieces)


def _shown(line: Line) -> Iterator[tuple[Piece, ...]]:
    """Yield a line of the report, its remedy and its places: with a mark in a terminal, plain else."""
    sign, colour = _MARKS[line.mark]
    mark = (sign, f"{colour} bold") if out.is_terminal else f"{line.mark}:"
    yield "  ", mark, f" {line.text}"
    if line.remedy:
        yield (f"      {line.remedy}",)
    if line.places:
        yield ((f"      {', '.join(line.places)}", "dim"),)


def _sum_up(found: Sequence[Diagnosis]) -> None:
    mending = sum(one.severity != "note" for one in found)
    words = "1 problem found" if mending == 1 else f"{mending} problems found"
    err.line()
    err.line(words if mending else "Ready: no problems found.")
