"""validate: check pipelines, without a model."""

from __future__ import annotations

import click

from llm_gc.errors import Finding, PipelineError


@click.command()
@click.argument("files", nargs=-1, metavar="FILE...")
def command(files: tuple[str, ...]) -> int:
    """Check pipelines: everything that is wrong at once, each with file, line and column."""
    from llm_gc import project

    if not files:
        raise click.UsageError("Give the files to check, for example: llm-gc validate pipelines/m1.yaml")
    findings: list[Finding] = []
    for file in files:
        try:
            findings += project.load(file).warnings
        except PipelineError as error:
            findings += error.findings
    for finding in findings:
        click.echo(str(finding))
    errors = sum(finding.severity == "error" for finding in findings)
    checked = f"{len(files)} file{'' if len(files) == 1 else 's'} checked"
    click.echo(
        f"{checked}: {f'{errors} errors' if errors != 1 else '1 error'}" if errors else f"{checked}: clean", err=True
    )
    return 1 if errors else 0
