"""What every command that lets a conversation be had shares: its options, its screen, its signals, its exit code."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from llm_gc import backends
from llm_gc._version import RULES
from llm_gc.cli.output import err, out
from llm_gc.cli.process import run_async
from llm_gc.errors import LlmGcError, PipelineError, ServerUnreachable, TemplateError

if TYPE_CHECKING:
    from llm_gc.cli.screen import Notes, Screen
    from llm_gc.project import Loaded
    from llm_gc.runtime.resume_point import ResumePoint
    from llm_gc.runtime.run import Run
    from llm_gc.transcript.records import Transcript


F = TypeVar("F", bound=Callable[..., Any])


def going(backend: str) -> Callable[[F], F]:
    """Return a command the options that say how a conversation is had; ``backend`` says who answers by default."""
    options = (
        click.option("--backend", type=click.Choice(backends.NAMES),
                     help=f"Who answers for the models.  [default: {backend}]"),
        click.option("--host", metavar="URL", help="The model server, before a role's own and before OLLAMA_HOST."),
        click.option("--answers", metavar="FILE",
                     help="What people answer: a text with a line of --- between answers, a YAML list, or -."),
        click.option("--parallel", type=click.IntRange(min=1), default=1, show_default=True,
                     help="Requests in flight per model."),
        click.option("--sessions", type=click.Path(path_type=Path), default="sessions", show_default=True,
                     metavar="DIR", help="Where the transcript goes, and where sessions are looked for."),
        click.option("--quiet", "-q", is_flag=True, help="Print the result alone."),
        click.option("--thinking", is_flag=True, help="Show what models think before they answer."),
        click.option("--json", "as_json", is_flag=True, help="Print the transcript alone."),
    )  # fmt: skip

    def with_options(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return with_options


def go(
    loaded: Loaded,
    values: Any,
    options: dict[str, Any],
    past: ResumePoint | None = None,
    shown: tuple[Screen, Notes] | None = None,
) -> int:
    """Run the conversation, from the end of its ``past`` where it has one, and return the exit code."""
    from llm_gc.cli.screen import still
    from llm_gc.cli.terminal_human import HumanPlayers
    from llm_gc.runtime.gates import Gates
    from llm_gc.runtime.run import Run
    from llm_gc.runtime.server_override import model_store

    out.keep_going("the conversation continues, and its transcript is written as always")
    screen, notes = shown or screens(options)
    people = HumanPlayers(loaded, options["answers"])
    name = options["backend"] or _before(past)
    store = model_store(loaded, os.environ, past.transcript.pipeline.overrides if past is not None else ())
    backend = backends.make(name, options["host"], os.environ, lambda error: _fallen_back(notes, error), store)
    backend = people.beside(backend, screen, hears=not (options["quiet"] or options["as_json"]))
    seed = options.get("seed")
    run = Run(loaded, values, backend, (screen,), options["sessions"], seed, Gates(options["parallel"]), past)
    with still(notes):
        try:
            run_async(run.go())
        except TemplateError as error:
            raise PipelineError([loaded.locate(error)]) from error
        except ServerUnreachable as error:
            raise ServerUnreachable(f"{error} With --backend rehearsal no server is needed.") from error
        except KeyboardInterrupt:
            pass  # what is there of the conversation is shown
        people.warn_of_unused(notes, run.outcome)
    return _end(run, options)


def under(transcript: Transcript) -> str:
    """Return what to add where a record is continued that was made under other rules."""
    if transcript.rules == RULES:
        return ""
    return f" (recorded under rules {transcript.rules}; what follows is sent and decided by rules {RULES})"


def _before(past: ResumePoint | None) -> str | None:
    """Return who answered before, where that was no model; else the roles say which kind of server theirs is."""
    backend = past.transcript.versions.backend if past is not None else ""
    return backend if backend in backends.NAMES and backend not in backends.SERVERS else None


def _end(run: Run, options: dict[str, Any]) -> int:
    """Print what is asked for, and return the exit code."""
    from llm_gc.runtime.resume_point import nothing_left

    transcript, outcome = run.transcript, run.outcome
    if transcript is None or outcome is None:
        done = "written" if run.past is None else "changed"
        err.line(f"llm-gc: interrupted before anything was asked; nothing was {done}")
        return 130
    out.keep_going(f"the transcript is {run.path or 'lost'}")
    print_asked(transcript, options)
    if run.path is None:
        _keep_on_screen(run, options)
        return 1
    if not options["quiet"] and not nothing_left(transcript):
        err.line(f"llm-gc resume {run.path} continues it", fit=False)
    if outcome.status == "failed":
        if options["quiet"]:
            err.line(f"llm-gc: the conversation failed: {outcome.detail}")
        return 3 if outcome.failure == "unreachable" else 1
    return 130 if outcome.status == "interrupted" else 0


def print_asked(transcript: Transcript, options: dict[str, Any]) -> None:
    """Print the transcript or the result, where one of them alone is asked for."""
    if options["as_json"]:
        from llm_gc.transcript.encode import dumps

        out.escaped(dumps(transcript, indent=1))
    elif options["quiet"]:
        _print_result(transcript.result)


def _print_result(result: Any) -> None:
    from llm_gc.transcript.encode import dumps

    if isinstance(result, str):
        out.text(result)
    else:
        out.escaped(dumps(result))


def _keep_on_screen(run: Run, options: dict[str, Any]) -> None:
    """Where the transcript could not be written, and what was said is not on the screen, print it."""
    if run.transcript is not None and options["quiet"]:
        for turn in run.transcript.turns:
            err.lines(turn.role, turn.content)


def screens(options: dict[str, Any]) -> tuple[Screen, Notes]:
    """Return what shows the conversation, and what shows everything about it."""
    from llm_gc.cli.renderers import PlainRenderer, Renderer, SilentRenderer, StyledRenderer
    from llm_gc.cli.screen import Notes, Screen

    quiet, as_json = options["quiet"], options["as_json"]
    notes = Notes(quiet=quiet)
    voice: Renderer = SilentRenderer() if quiet or as_json else StyledRenderer() if out.is_live else PlainRenderer()
    return Screen(voice, notes, thinking=options["thinking"]), notes


def _fallen_back(notes: Notes, error: LlmGcError) -> None:
    what = "NO MODEL SPEAKS HERE: the stand-in makes the replies up, to show how the conversation runs."
    notes.warn(what, "", *error.lines, "")
