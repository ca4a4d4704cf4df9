"""ls: list the sessions of a folder, newest first."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llm_gc.cli.output import err, out

if TYPE_CHECKING:
    from llm_gc.sessions import ListedSession


HEAD = ("STATUS", "TURNS", "FAILED", "TOKENS", "TIME", "SESSION")


@click.command()
@click.option("--sessions", type=click.Path(path_type=Path), default="sessions", show_default=True, metavar="DIR",
              help="Where the transcripts are.")  # fmt: skip
@click.option("--limit", "-n", type=click.IntRange(min=1), metavar="N", help="The newest N alone.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def command(sessions: Path, limit: int | None, as_json: bool) -> int:
    """List the sessions, newest first: how they ended, and what they cost."""
    from llm_gc.sessions import listed

    newest = islice(listed(sessions), limit)
    if as_json:
        _print_json(newest)
    elif not _print_lines(newest):
        err.line(f"There are no sessions in {sessions}; llm-gc run leaves one there.")
    return 0


def _print_lines(listed: Iterable[ListedSession]) -> bool:
    """Print each session when it is read; return whether there was one."""
    some = False
    for session in listed:
        if not some:
            out.line(_columns(*HEAD), fit=False)
        some = True
        out.line(_line(session), fit=False)
    return some


def _line(session: ListedSession) -> str:
    from llm_gc.reports.figures import seconds

    if session.problem:
        return _columns(session.status, "-", "", "-", "-", f"{session.id}: {session.problem}")
    failed = str(session.failed or "")
    tokens, time = f"{session.tokens:,}", seconds(session.seconds)
    return _columns(session.status, str(session.turns), failed, tokens, time, session.id)


def _columns(*words: str) -> str:
    """Return a line of fixed columns, for later ones are not known yet; an id ends with its pipeline's name."""
    status, turns, failed, tokens, time, session = words
    return f"{status:11}  {turns:>5}  {failed:>6}  {tokens:>9}  {time:>9}  {session}"


def _print_json(listed: Iterable[ListedSession]) -> None:
    """Print one list, a session on each line, as they are read."""
    before = "["
    for session in listed:
        fields = {"path": str(session.path), "tokens": session.tokens}
        text = json.dumps({**asdict(session), **fields}, ensure_ascii=False)
        out.escaped(f"{before}\n {text}", end="")
        before = ","
    out.escaped("[]" if before == "[" else "\n]")
