"""rehearse: try every kind of reply, without a model, and say what can become of a conversation."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_gc.cli.options import InputsCommand, load_pipeline, pipeline_and_inputs
from llm_gc.cli.output import err, out
from llm_gc.errors import PipelineError, TemplateError, UsageError

if TYPE_CHECKING:
    from llm_gc.model_checker.rehearse import RehearsalReport


GC_THRESHOLD = 200_000
"""Objects between two looks for garbage: walks are thrown away by the hundred, and looking among them costs a fifth."""


@click.command(cls=InputsCommand)
@pipeline_and_inputs
@click.option("--max-states", type=click.IntRange(min=1), default=20_000, show_default=True,
              help="How many states are looked at, at most.")  # fmt: skip
@click.option("--write-tests", metavar="FILE",
              help="Write a test file with a case for each ending that was found; - for standard output.")  # fmt: skip
@click.option("--force", is_flag=True, help="Write over a test file that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(file: str | None, inputs: dict[str, Any], **options: Any) -> int:
    """Explore every ending of the conversation in FILE, without a model.

    Inputs that are not given have their defaults, an example, or a value that is made up.
    The exit code is 1 where there is a fault.
    """
    from llm_gc.cli.input_output import OUT, check
    from llm_gc.files.locations import find
    from llm_gc.model_checker.default_inputs import default_inputs
    from llm_gc.model_checker.rehearse import rehearse

    if file is None:
        raise click.UsageError("Give the pipeline to rehearse, for example: llm-gc rehearse m1")
    tests: str | None = options["write_tests"]
    named = None
    if tests is not None:
        if file == "-":
            raise click.UsageError("--write-tests needs the pipeline's file, which the tests name.")
        check(tests, force=options["force"])
        named = _seen_from(None if tests == OUT else Path(tests), find(file))
    gc.set_threshold(GC_THRESHOLD)
    loaded = load_pipeline(file, options["overrides"], options["models"])
    for warning in loaded.warnings:
        err.line(str(warning), fit=False)
    supplied = default_inputs(loaded.pipeline, inputs, texts=True)
    try:
        report = rehearse(loaded, supplied, options["max_states"], _progress())
    except TemplateError as error:
        raise PipelineError([loaded.locate(error)]) from error
    finally:
        err.status("")
    if tests != OUT:
        _print(report, as_json=options["as_json"])
    if tests is not None:
        _write(report, tests, named, force=options["force"])
    return 1 if report.failed else 0


def _print(report: RehearsalReport, *, as_json: bool) -> None:
    from llm_gc.reports.rehearsal_report import as_data, lines, verdict

    if as_json:
        out.escaped(json.dumps(as_data(report), ensure_ascii=False, indent=1))
        return
    for line in lines(report):
        out.line(line, fit=False)
    out.line()
    out.line((verdict(report), "red" if report.failed else "green"))


def _write(report: RehearsalReport, tests: str, named: str | None, *, force: bool) -> None:
    """Write the proposed cases; the pipeline is ``named`` in the file where it would not be found otherwise."""
    from llm_gc.cli.input_output import OUT, write
    from llm_gc.reports.rehearsal_report import as_test_file

    if not report.cases:
        raise UsageError("no ending can be said in a test file, so there is nothing to write")
    write(tests, [as_test_file(report, named)], force=force)
    if tests != OUT:
        err.line(f"{tests}: {len(report.cases)} cases for {Path(report.file).stem}")


def _seen_from(tests: Path | None, file: Path) -> str | None:
    """Return the pipeline's file as a test file names it; none beside it, and where nobody knows where it will be.

    Raises:
        UsageError: where it could not be read from there.

    """
    from llm_gc.files.locations import shipped
    from llm_gc.files.opening import tests_root

    if tests is None:
        return None
    home, real = tests.resolve().parent, file.resolve()
    if home / tests.name == real.with_suffix(".test.yaml"):
        return None
    root = tests_root(home)
    if real.is_relative_to(root):
        seen = Path(os.path.relpath(real, home)).as_posix()
        if not seen.isprintable():
            raise UsageError(f"a test file cannot name {seen}; rename the pipeline, or write the test file beside it")
        return seen
    if shipped(file.name) == file:
        return file.stem
    raise UsageError(
        f"{tests} would be outside of the project of {file}, and could not name it: write it beside the pipeline, or "
        f"mark the root of the project by a pyproject.toml (it may be empty)"
    )


def _progress() -> Callable[[int, int], object] | None:
    """Return what shows in a terminal how far it is; nothing shows elsewhere."""
    if not err.is_live:
        return None
    return lambda states, waiting: err.status(f"{states:,} states, {waiting:,} to look at ")
