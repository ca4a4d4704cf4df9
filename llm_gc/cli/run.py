"""run: run a conversation, and leave its transcript."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_gc import backends
from llm_gc.cli.options import INPUT_HELP, InputsCommand
from llm_gc.errors import LlmGcError, PipelineError, TemplateError

if TYPE_CHECKING:
    from llm_gc.cli.screen import Notes, Screen
    from llm_gc.drivers.run import Run
    from llm_gc.project import Loaded


@click.command(cls=InputsCommand, context_settings={"auto_envvar_prefix": None})
@click.argument("file", required=False)
@click.option("--input", "given", multiple=True, metavar="NAME=VALUE", help=INPUT_HELP)
@click.option(
    "--backend",
    type=click.Choice(backends.NAMES),
    help="Who answers for the models, before what a role says; Ollama where nobody says.",
)
@click.option("--host", metavar="URL", help="The model server, before a role's own and before OLLAMA_HOST.")
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Lay a value over the pipeline's.")
@click.option("--model", "models", multiple=True, metavar="[ROLE=]NAME", help="Another model, for a role or for all.")
@click.option("--answers", metavar="FILE",
              help="What people answer: a text with a line of --- between answers, a YAML list, or -.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), help="What all sampling is derived from.")
@click.option(
    "--parallel", type=click.IntRange(min=1), default=1, show_default=True, help="Requests in flight per model."
)
@click.option("--sessions", type=click.Path(path_type=Path), default="sessions", show_default=True, metavar="DIR",
              help="Where the transcript goes.")  # fmt: skip
@click.option("--quiet", "-q", is_flag=True, help="Print the result alone.")
@click.option("--thinking", is_flag=True, help="Show what models think before they answer.")
@click.option("--json", "as_json", is_flag=True, help="Print the transcript alone.")
def command(file: str | None, inputs: dict[str, str], **options: Any) -> int:
    """Run the conversation in FILE, and leave its transcript in sessions/."""
    from llm_gc import project
    from llm_gc.drivers.placing import placed
    from llm_gc.inputs import resolve

    if file is None:
        raise click.UsageError('Give the pipeline to run, for example: llm-gc run m1 --task "…"')
    loaded = project.load(file, options["overrides"], options["models"])
    for warning in loaded.warnings:
        click.echo(str(warning), err=True)
    loaded = placed(loaded, options["host"], options["backend"])
    values = resolve(loaded.pipeline.inputs, inputs, texts=True)
    return _run(loaded, values, options)


def _run(loaded: Loaded, values: dict[str, Any], options: dict[str, Any]) -> int:
    from llm_gc.cli.people import People
    from llm_gc.cli.screen import still
    from llm_gc.drivers.run import Run

    screen, notes = _screen(options["quiet"], options["as_json"], options["thinking"])
    people = People(loaded, options["answers"])
    backend = backends.make(options["backend"], options["host"], os.environ, lambda error: _fallen_back(notes, error))
    backend = people.beside(backend, screen, hears=not (options["quiet"] or options["as_json"]))
    run = Run(loaded, values, backend, (screen,), options["sessions"], options["seed"], options["parallel"])
    with still(notes):
        try:
            _drive(run)
        except TemplateError as error:
            raise PipelineError([loaded.locate(error)]) from error
        except asyncio.CancelledError:
            pass
        people.warn_of_unused(notes, run.outcome)
    return _end(run, options)


def _drive(run: Run) -> None:
    """Run it, with Ctrl-C and a request to terminate as a cancellation; a second one changes nothing."""

    async def driven() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101  # this is inside one
        stopped: list[int] = []

        def stop(number: int, _frame: object) -> None:
            if not stopped:
                loop.call_soon_threadsafe(task.cancel)
            stopped.append(number)

        with _handled(stop):
            await run.go()

    asyncio.run(driven())


def _end(run: Run, options: dict[str, Any]) -> int:
    """Print what is asked for, and give the exit code."""
    transcript, outcome = run.transcript, run.outcome
    if transcript is None or outcome is None:
        click.echo("llm-gc: interrupted before the first turn; nothing was written", err=True)
        return 130
    if options["as_json"]:
        from llm_gc.cli.clean import clean_json
        from llm_gc.transcript import dumps

        click.echo(clean_json(dumps(transcript, indent=1)))
    elif options["quiet"]:
        _print_result(transcript.result)
    if run.path is None:
        _keep_on_screen(run, options)
        return 1
    if outcome.status == "failed":
        click.echo(f"llm-gc: the conversation failed: {outcome.detail}", err=True) if options["quiet"] else None
        return 3 if outcome.failure == "unreachable" else 1
    return 130 if outcome.status == "interrupted" else 0


def _print_result(result: Any) -> None:
    from llm_gc.cli.clean import clean, clean_json
    from llm_gc.transcript import dumps

    click.echo(clean(result) if isinstance(result, str) else clean_json(dumps(result)))


def _keep_on_screen(run: Run, options: dict[str, Any]) -> None:
    """Where the transcript could not be written, and what was said did not stand on the screen, print it."""
    if run.transcript is not None and options["quiet"]:
        from llm_gc.cli.clean import clean

        for turn in run.transcript.turns:
            click.echo(clean(f"{turn.role}: {turn.content}"), err=True)


def _screen(quiet: bool, as_json: bool, thinking: bool) -> tuple[Screen, Notes]:
    from llm_gc.cli.screen import Notes, Screen
    from llm_gc.cli.voices import Plain, Silent, Styled, Voice

    notes = Notes(_console(sys.stderr), quiet=quiet)
    console = _console(sys.stdout)
    voice: Voice = Silent() if quiet or as_json else Styled(console) if console is not None else Plain()
    return Screen(voice, notes, thinking=thinking), notes


def _console(stream: Any) -> Any:
    """Give a rich console for a terminal, none for anything else: rich is loaded only where it shows."""
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        return None
    from rich.console import Console

    return Console(file=stream, highlight=False, markup=False, emoji=False)


def _fallen_back(notes: Notes, error: LlmGcError) -> None:
    notes.warn(
        f"NO MODEL SPEAKS HERE: the stand-in makes the replies up, to show how the conversation runs.\n\n{error}\n"
    )


def _handled(stop: Callable[[int, object], None]) -> Any:
    """Handle the signals that ask a program to end, for as long as the context lasts."""
    import contextlib

    @contextlib.contextmanager
    def handled() -> Iterator[None]:
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    return handled()
