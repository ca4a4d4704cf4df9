"""validate: check pipelines, without a model."""

from __future__ import annotations

import click

from llm_gc.cli.input_output import read
from llm_gc.cli.output import err, out
from llm_gc.errors import Finding, UsageError

FORMATS = ["text", "json", "github", "sarif"]


@click.command()
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="How findings are printed.")
@click.option("--strict", is_flag=True, help="Let warnings fail too.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, metavar="N", help="Share the work among N processes.")
@click.option("--explain", metavar="CODE", help="Print the manual page of a code, and check nothing.")
def command(paths: tuple[str, ...], form: str, strict: bool, jobs: int, explain: str | None) -> int:
    """Check pipelines: everything that is wrong at once, each with file, line and column.

    A PATH is a file, a folder in which all pipelines and tests are checked, or - for standard input.
    """
    if explain is not None:
        return _explain(explain)
    if not paths:
        raise click.UsageError("Give files or folders to check, for example: llm-gc validate pipelines/")
    from llm_gc.validation import validate

    stdin = read() if "-" in paths else b""
    report = validate(paths, stdin=stdin, jobs=jobs)
    _print(report.findings, form, stdin)
    for text in _remarks(report.passed_over, report.wrong):
        err.line(text)
    errors = sum(finding.severity == "error" for finding in report.findings)
    warnings = len(report.findings) - errors
    found = ", ".join(_counted(n, word) for n, word in ((errors, "error"), (warnings, "warning")) if n) or "clean"
    if report.checked or not report.wrong:
        err.line(f"{_counted(report.checked, 'file')} checked: {found}")
    return 2 if report.wrong else 1 if errors or (strict and warnings) else 0


def _print(findings: tuple[Finding, ...], form: str, stdin: bytes) -> None:
    from llm_gc.analysis.formats import FORMATS, text

    if form == "github":
        out.commands(FORMATS[form](findings).split("\n") if findings else ())
        return
    if form != "text":
        out.escaped(FORMATS[form](findings))
        return
    from llm_gc.files.locations import lines_in, lines_of
    from llm_gc.validation import STDIN_NAME

    def lines(file: str) -> list[str]:
        return lines_in(stdin) if file == STDIN_NAME else lines_of(file)

    for line in text.excerpts(findings, lines, columns=out.width if out.is_terminal else None):
        out.line(*line, fit=False)


def _remarks(passed_over: tuple[str, ...], wrong: tuple[str, ...]) -> list[str]:
    shown = ", ".join(passed_over[:5]) + (", …" if len(passed_over) > 5 else "")
    what = "it is no pipeline and no test" if len(passed_over) == 1 else "they are no pipelines and no tests"
    skipped = [f"llm-gc: {_counted(len(passed_over), 'YAML file')} not checked, {what}: {shown}"] if passed_over else []
    return [*skipped, *(f"llm-gc: {sentence}" for sentence in wrong)]


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _explain(code: str) -> int:
    from llm_gc.analysis.rule_pages import page

    try:
        for line in str(page(code)).split("\n"):
            out.line(line)
    except KeyError as error:
        raise UsageError(error.args[0]) from error
    return 0
