"""schema: print the JSON Schema of pipelines, tests or transcripts, or a pipeline with everything in its place."""

from __future__ import annotations

import click

from llm_gc.cli.options import load_pipeline
from llm_gc.cli.output import out


@click.command()
@click.argument("what", type=click.Choice(["pipeline", "test", "transcript"]), default="pipeline")
@click.option("--resolved", "file", metavar="FILE", help="Print FILE whole, and where its values are from.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="With --resolved: lay a value over it.")
@click.option("--model", "models", multiple=True, metavar="[ROLE=]NAME", help="With --resolved: another model.")
def command(what: str, file: str | None, overrides: tuple[str, ...], models: tuple[str, ...]) -> int:
    """Print the JSON Schema of pipelines (or of tests, or of transcripts), for editors and for CI."""
    if file is not None:
        from llm_gc.project.documents import as_yaml

        out.escaped(as_yaml(load_pipeline(file, overrides, models).document))
        return 0
    from llm_gc.analysis.document_schemas import SCHEMAS, text_of

    out.escaped(text_of(SCHEMAS[f"{what}.schema.json"]()))
    return 0
