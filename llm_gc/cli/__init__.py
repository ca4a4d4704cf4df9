"""The command line: one file per command, loaded when it is called; one place where errors become messages."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module

import click

from llm_gc._version import __version__

GC_THRESHOLD = 50_000
"""Objects between two looks for garbage: what a command makes it mostly keeps, and looking costs more than it finds."""

COMMANDS = {
    "run": "Run a conversation, and leave its transcript.",
    "resume": "Go on with a conversation that was interrupted.",
    "replay": "Prove that a pipeline still makes the requests of a transcript, without a model.",
    "diff": "Say where two conversations part, and why.",
    "validate": "Check pipelines, without a model.",
    "doctor": "Examine the servers and models that a pipeline is to run on.",
    "plan": "Say turn by turn what a conversation will do, without a model.",
    "graph": "Draw a pipeline as a flowchart.",
    "rehearse": "Try every kind of reply, without a model.",
    "test": "Play scripted conversations, and compare.",
    "show": "Show a session: here, as a page, or as Markdown.",
    "ls": "List the sessions, newest first.",
    "schema": "Print the JSON Schema of pipelines or transcripts.",
}
"""The registry: a command's module in this folder, and its line in --help (told here so that --help loads nothing)."""


class Commands(click.Group):
    """The commands, each loaded when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"llm_gc.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else f" The commands are: {', '.join(COMMANDS)}."
            raise click.UsageError(f"There is no command {args[0]!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="llm-gc %(version)s")
def cli() -> None:
    """Run conversations between language models, written as YAML."""


def main() -> None:
    """Run the command line; every error that has a message for people is printed here, and ends with its code."""
    gc.set_threshold(GC_THRESHOLD)
    from llm_gc.errors import LlmGcError

    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to look for some costs more than to read a pipeline
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows a mark in its place
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 0
    except click.ClickException as error:
        click.echo(f"llm-gc: {_sentence(error)}", err=True)
        code = error.exit_code
    except LlmGcError as error:
        click.echo(_wrapped(f"llm-gc: {error}"), err=True)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("llm-gc: interrupted", err=True)
        code = 130
    except BrokenPipeError:
        _leave_pipe()
        code = 1
    gc.freeze()  # the process ends here: to look once more through all that it holds takes as long as a check
    sys.exit(code if isinstance(code, int) else 0)


def _wrapped(text: str) -> str:
    """Break lines between words where a terminal would tear them; lines that name a place stay whole."""
    if not sys.stderr.isatty() or ": error: " in text:
        return text
    from shutil import get_terminal_size

    return click.wrap_text(text, get_terminal_size().columns, preserve_paragraphs=True)


def _sentence(error: click.ClickException) -> str:
    """Give a wrong use in one paragraph, with the way to the help that is about it."""
    called = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    name = f"llm-gc {called}" if called in COMMANDS else "llm-gc"
    text = error.format_message().rstrip(".")
    return f"{text}{'' if text.endswith('?') else '.'} See {name} --help."


def _leave_pipe() -> None:
    """Let nothing be flushed into a pipe that nobody reads any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
