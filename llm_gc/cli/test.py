"""test: play the cases of test files, with the replies that they give."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from llm_gc.cli.output import err, out
from llm_gc.errors import UsageError

if TYPE_CHECKING:
    from llm_gc.testing.playing import CaseRun, TestedFile


COLOURS = {"+": "green", "-": "red"}


@click.command()
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option(
    "-k", "expression", metavar="EXPR", help="Only cases whose file or name has these words: 'stop and not m1'."
)
@click.option("--cover", is_flag=True, help="Show which steps, branches and stops no case reaches.")
@click.option(
    "--fail-under", type=click.FloatRange(0, 100), metavar="PERCENT", help="Fail where less than that is covered."
)
@click.option("--junit", metavar="FILE", help="Write a report as JUnit XML.")
@click.option("--force", is_flag=True, help="Write over a report that is there.")
@click.option("--verbose", "-v", is_flag=True, help="Name each case.")
def command(paths: tuple[str, ...], junit: str | None, **options: Any) -> int:
    """Play the cases in *.test.yaml files: scripted replies in, the expected conversation out. No model is asked.

    PATH is a test file, a folder of them, or a pipeline that has one beside it.
    """
    from llm_gc.cli.input_output import check, write
    from llm_gc.testing import verdicts
    from llm_gc.testing.playing import CaseRun
    from llm_gc.testing.selection import find
    from llm_gc.testing.verdicts import document

    if not paths:
        raise click.UsageError("Give the test files or folders, for example: llm-gc test pipelines/")
    if junit is not None:
        check(junit, force=options["force"])
    session, start = CaseRun(find(paths), _chosen(options["expression"])), perf_counter()
    for tested in session.go():
        _show(tested, verbose=options["verbose"])
    if not any(one.verdicts or one.broken for one in session.tested):
        raise UsageError(f"no case is meant by -k {options['expression']!r}; all are left out")
    if options["cover"] and session.covered:
        out.line()
        for line in verdicts.coverage(list(session.covered.values())):
            out.line(line, fit=False)
    if junit is not None:
        write(junit, [document(session.tested)], force=options["force"])
    out.line()
    out.line(verdicts.summary(session.tested, perf_counter() - start))
    return _code(session, options["fail_under"])


def _chosen(expression: str | None) -> Callable[[str], bool]:
    if expression is None:
        return lambda _: True
    from llm_gc.testing.selection import read

    try:
        return read(expression)
    except ValueError as error:
        raise UsageError(
            f"-k {expression!r} cannot be read: {error}; write for example -k 'stop and not m1'"
        ) from error


def _show(tested: TestedFile, *, verbose: bool) -> None:
    """Print a file's line, and below it what did not come out as expected."""
    from llm_gc.testing import verdicts

    bad = tested.broken is not None or bool(tested.failed)
    out.line((verdicts.line(tested), "red" if bad else "green"), fit=False)
    if tested.broken is not None:
        for line in tested.broken.lines:
            out.line(f"  {line}", fit=False)
    for verdict in tested.verdicts:
        if verdict.passed and verbose:
            out.line(f"  passed: {verdict.name}", fit=False)
        if not verdict.passed:
            title, *lines = verdicts.failure(verdict)
            out.line()
            out.line((title, "bold"), fit=False)
            for line in lines:
                out.line((line, COLOURS.get(line.lstrip()[:1], "")), fit=False)
            out.line()


def _code(session: CaseRun, fail_under: float | None) -> int:
    """Return the exit code: 2 where a file could not be played, 1 where something is not as it should be."""
    from llm_gc.testing import verdicts

    total = verdicts.total(list(session.covered.values()))
    short = fail_under is not None and total < fail_under
    if short:
        err.line(f"llm-gc: {total:.1f} % is covered, and {fail_under:g} % were asked for; see --cover")
    if any(one.broken for one in session.tested):
        return 2
    return 1 if short or any(one.failed for one in session.tested) else 0
