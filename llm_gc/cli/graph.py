"""graph: draw a pipeline."""

from __future__ import annotations

import atexit
import gc

import click

from llm_gc.cli.options import laid_over, load_pipeline
from llm_gc.cli.output import out


@click.command()
@click.argument("file", required=False)
@click.option("--svg", metavar="FILE", help="Write a picture, where mmdr is installed; - for standard output.")
@laid_over
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def command(file: str | None, svg: str | None, overrides: tuple[str, ...], models: tuple[str, ...], force: bool) -> int:
    """Draw FILE as a flowchart in Mermaid's language, which GitHub and many editors show as a picture."""
    from llm_gc.cli.input_output import check, write
    from llm_gc.reports.mermaid import mermaid

    if file is None:
        raise click.UsageError("Give the pipeline to draw, for example: llm-gc graph m1")
    if svg is not None:
        check(svg, force=force)
    drawing = mermaid(load_pipeline(file, overrides, models).pipeline)
    if svg is None:
        out.text(drawing)
        return 0
    write(svg, [_picture(drawing)], force=force)
    return 0


def _picture(drawing: str) -> str:
    # mmdr's native parts report a leak for each object that the last collection at exit does not reached
    atexit.register(gc.unfreeze)
    try:
        import mmdr
    except ImportError:
        words = (
            'a picture needs the package mmdr: pip install "llm-gc[svg]"; without it, llm-gc graph prints Mermaid text'
        )
        raise click.UsageError(words) from None
    return str(mmdr.render(drawing).svg())
