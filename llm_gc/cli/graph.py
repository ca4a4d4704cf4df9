"""graph: draw a pipeline."""

from __future__ import annotations

import atexit
import gc
from pathlib import Path

import click


@click.command()
@click.argument("file", required=False)
@click.option(
    "--svg", type=click.Path(path_type=Path), metavar="FILE", help="Write a picture, where mmdr is installed."
)
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Lay a value over the pipeline's.")
@click.option("--model", "models", multiple=True, metavar="[ROLE=]NAME", help="Another model, for a role or for all.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def command(
    file: str | None, svg: Path | None, overrides: tuple[str, ...], models: tuple[str, ...], force: bool
) -> int:
    """Draw FILE as a flowchart in Mermaid's language, which GitHub and many editors show as a picture."""
    from llm_gc import project
    from llm_gc.graph import mermaid

    if file is None:
        raise click.UsageError("Give the pipeline to draw, for example: llm-gc graph m1")
    drawing = mermaid(project.load(file, overrides, models).pipeline)
    if svg is None:
        click.echo(drawing, nl=False)
        return 0
    picture = _picture(drawing)
    try:
        with svg.open("w" if force else "x", encoding="utf-8") as out:
            out.write(picture)
    except FileExistsError:
        raise click.UsageError(f"{svg} is there already; write over it with --force") from None
    except OSError as error:
        raise click.UsageError(f"{svg} cannot be written: {(error.strerror or str(error)).lower()}") from None
    return 0


def _picture(drawing: str) -> str:
    # mmdr's native parts report a leak for each object that the last collection at exit does not come to
    atexit.register(gc.unfreeze)
    try:
        import mmdr
    except ImportError:
        words = (
            'a picture needs the package mmdr: pip install "llm-gc[svg]"; without it, llm-gc graph prints Mermaid text'
        )
        raise click.UsageError(words) from None
    return str(mmdr.render(drawing).svg())
