"""replay: prove from a transcript, without a model, that a pipeline still makes the same requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llm_gc._version import RULES
from llm_gc.cli.output import err, out
from llm_gc.errors import LlmGcError

if TYPE_CHECKING:
    from llm_gc.runtime.replay import Difference, Replayed


MAX_LINES = 60
"""So many lines of a difference are shown."""


@click.command()
@click.argument("sessions", nargs=-1, metavar="SESSION...")
@click.option("--as-recorded", is_flag=True, help="Against the transcript's own pipeline, not the file as it is now.")
@click.option("--against", "file", metavar="FILE", help="Against another pipeline file.")
@click.option("--sessions", "folder", type=click.Path(path_type=Path), default="sessions", show_default=True,
              metavar="DIR", help="Where sessions are looked for.")  # fmt: skip
def command(sessions: tuple[str, ...], as_recorded: bool, file: str | None, folder: Path) -> int:
    """Replay each SESSION (a file, an id, a prefix of one, last, or a folder of them) with its pipeline as it is now.

    No model is asked. Every request that the pipeline makes is held against the recorded one, and so is what comes of
    the replies: identical, or the first difference. Where the pipeline's file is gone, its record stands in for it.
    The exit code is 1 where something differs, 2 where something cannot be read.
    """
    if not sessions:
        raise click.UsageError("Give the sessions to replay, for example: llm-gc replay last")
    if as_recorded and file is not None:
        raise click.UsageError("Give --as-recorded or --against FILE, not both.")
    code = 0
    for path in dict.fromkeys(path for text in sessions for path in _paths(text, folder)):
        try:
            replayed, against = _replay(path, file, as_recorded=as_recorded)
        except LlmGcError as error:
            _refused(path.stem, error)
            code = max(code, error.exit_code)
            continue
        for line in _told(path.stem, replayed, against):
            out.line(line, fit=not line.startswith(" "))
        if replayed.difference is not None:
            code = max(code, 1)
    return code


def _paths(text: str, folder: Path) -> Iterator[Path]:
    from llm_gc.sessions import find_session, has_begun, session_files

    if not Path(text).is_dir():
        yield find_session(text, folder)
        return
    found = session_files(Path(text))
    if not found:
        raise click.UsageError(f"There is no session in {text}.")
    for path in reversed(found):
        if has_begun(path):
            yield path
        else:
            err.line(f"{path.stem}: skipped: nothing was written to it yet")


def _replay(path: Path, file: str | None, *, as_recorded: bool) -> tuple[Replayed, str]:
    """Replay one; return what came of it, and against what it was held."""
    from llm_gc import project
    from llm_gc.runtime.replay import replay
    from llm_gc.runtime.restore import current, given, restored
    from llm_gc.sessions import load_session

    transcript = load_session(path)
    if file is not None:
        loaded = project.load(file, *given(transcript.pipeline))
        return replay(transcript, loaded), file
    now = None if as_recorded else current(transcript, path)
    if now is not None:
        return replay(transcript, now), now.file
    gone = "" if as_recorded else f", since {transcript.pipeline.file} is not there any more"
    return replay(transcript, restored(transcript)), f"its own record{gone}"


def _refused(id_: str, error: LlmGcError) -> None:
    first, *lines = error.lines
    err.line(f"{id_}: cannot be replayed: {first}")
    for line in lines:
        err.line(f"  {line}")


def _told(id_: str, replayed: Replayed, against: str) -> Iterator[str]:
    count = f"{replayed.turns} turn{'' if replayed.turns == 1 else 's'}"
    under = "" if replayed.rules == RULES else f"recorded under rules {replayed.rules}: "
    if replayed.difference is not None:
        yield f"{id_}: {under}differs from {against}"
        yield from _lines(replayed.difference)
        if under:
            yield f"  rules {RULES} send and decide some things otherwise, which may be why"
        return
    same = "the same as far as that can be compared" if under else "identical"
    yield f"{id_}: {under}{same} ({count}, against {against})"
    if replayed.changes:
        yield "  the pipeline has changed since, but nothing that was sent or resulted has:"
        yield from [f"    {line}" for change in replayed.changes for line in change.lines()][:MAX_LINES]


def _lines(difference: Difference) -> Iterator[str]:
    yield f"  {difference.where}: {difference.what}"
    yield from (f"    {line}" for line in difference.lines[:MAX_LINES])
    if len(difference.lines) > MAX_LINES:
        yield f"    … and {len(difference.lines) - MAX_LINES} lines more"
