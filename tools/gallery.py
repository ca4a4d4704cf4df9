"""The page of a folder of pipelines: what each is for, and its picture; ``python -m tools.gallery`` writes ours."""

from __future__ import annotations

import sys
from pathlib import Path

from llm_gc import project
from llm_gc.files.locations import pipelines_in
from llm_gc.language.pipeline import Pipeline
from llm_gc.reports.mermaid import mermaid

HEAD = """\
# The gallery

Each pipeline here is one pattern of conversation, made to be copied. All of them run as they are:
`llm-gc run pipelines/debate.yaml --help` tells what one wants to know, `--backend rehearsal` runs it without a model.
The pictures are drawn by `llm-gc graph`: a box is a turn, a diamond a decision, a frame what is repeated, goes on side
by side or is private; a dotted arrow leads back, or to an end that a reply brings about.

| pattern | what happens |
| --- | --- |
"""


def page(folder: Path) -> str:
    """Return the page of all pipelines in ``folder``, as Markdown with Mermaid pictures."""
    files = pipelines_in(folder)
    pipelines = [(path.name, project.load(str(path)).pipeline) for path in files]
    rows = [f"| [{one.name}](#{one.name}) | {_description(one)} |\n" for _, one in pipelines]
    pictures = [f"\n## {one.name}\n\n[{name}]({name})\n\n```mermaid\n{mermaid(one)}```\n" for name, one in pipelines]
    return "".join([HEAD, *rows, *pictures])


def _description(pipeline: Pipeline) -> str:
    return " ".join((pipeline.description or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else "pipelines")
    (where / "README.md").write_text(page(where), encoding="utf-8")
