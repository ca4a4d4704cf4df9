"""show: a session in the terminal, as a page, or as Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_gc.cli.output import out
from llm_gc.errors import UsageError

if TYPE_CHECKING:
    from llm_gc.transcript.records import Transcript, TurnRecord


@click.command()
@click.argument("session")
@click.option("--html", metavar="FILE", help="Write one page that holds it all, for a browser; - is standard output.")
@click.option("--markdown", metavar="FILE", help="Write it as Markdown; - is standard output.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--turn", metavar="N", help="One turn alone, by its number or its id.")
@click.option("--request", is_flag=True, help="With --turn: exactly what the model was sent.")
@click.option("--thinking", is_flag=True, help="What the models thought, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the transcript, the turn, or its request.")
@click.option("--sessions", type=click.Path(path_type=Path), default="sessions", show_default=True, metavar="DIR",
              help="Where to look for SESSION.")  # fmt: skip
def command(session: str, sessions: Path, **options: Any) -> int:
    """Show SESSION: a file, an id, how one begins, or "last"."""
    from llm_gc.sessions import find_session, load_session

    if options["request"] and options["turn"] is None:
        raise click.UsageError("--request shows one turn's; say which with --turn N")
    if options["turn"] is not None and (options["html"] or options["markdown"]):
        raise click.UsageError("--turn is for the terminal; a page and a Markdown file hold every turn")
    transcript = load_session(find_session(session, sessions))
    if options["html"] or options["markdown"]:
        _write(transcript, options)
    elif options["turn"] is not None:
        _tell_turn(transcript, _turn(transcript, options["turn"]), options)
    elif options["as_json"]:
        _print_json(transcript)
    else:
        from llm_gc.cli.session_printer import SessionPrinter

        SessionPrinter(thinking=options["thinking"]).session(transcript)
    return 0


def _write(transcript: Transcript, options: dict[str, Any]) -> None:
    from llm_gc.cli.input_output import check, write

    names = [name for name in (options["html"], options["markdown"]) if name]
    if len(set(names)) < len(names):
        raise click.UsageError("--html and --markdown need a place each")
    for name in names:  # before anything is written
        check(name, force=options["force"])
    if options["html"]:
        from llm_gc.reports.html import page

        write(options["html"], page(transcript), force=options["force"], private=True)
    if options["markdown"]:
        from llm_gc.reports.markdown import markdown

        text: Iterable[str] = markdown(transcript, thinking=options["thinking"])
        write(options["markdown"], text, force=options["force"], private=True)


def _turn(transcript: Transcript, name: str) -> TurnRecord:
    """Find a turn by its number or its id.

    Raises:
        UsageError: where there is none.

    """
    for turn in transcript.turns:
        if name in (str(turn.turn), turn.id):
            return turn
    count = transcript.totals.turns
    has = f"the session has {count} turn{'' if count == 1 else 's'}"
    raise UsageError(f"there is no turn {name!r}; {has}, and a choice of who speaks is known by its id (show --json)")


def _tell_turn(transcript: Transcript, turn: TurnRecord, options: dict[str, Any]) -> None:
    from llm_gc.cli.session_printer import SessionPrinter
    from llm_gc.transcript.encode import messages_of

    try:
        messages = messages_of(transcript, turn) if options["request"] else []
    except ValueError as error:
        raise UsageError(f"{error}") from error
    request = turn.request
    if options["as_json"]:
        sent = {"messages": messages, "options": request.options, "format": request.format}
        _print_json(sent if options["request"] else turn)
        return
    teller = SessionPrinter(thinking=options["thinking"])
    if options["request"]:
        teller.request(messages, request.options)
    teller.turn(turn, whole=True)


def _print_json(value: Any) -> None:
    from llm_gc.transcript.encode import dumps

    out.escaped(dumps(value, indent=1))
