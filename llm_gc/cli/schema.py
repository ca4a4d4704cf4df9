"""schema: print the JSON Schema of pipelines or transcripts."""

from __future__ import annotations

import click


@click.command()
@click.argument("what", type=click.Choice(["pipeline", "transcript"]), default="pipeline")
def command(what: str) -> int:
    """Print the JSON Schema of pipelines (or of transcripts), for editors and for CI."""
    from llm_gc.schema import SCHEMAS, text_of

    click.echo(text_of(SCHEMAS[f"{what}.schema.json"]()), nl=False)
    return 0
