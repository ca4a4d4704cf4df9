"""One module prints: nothing else in the package reaches a standard stream, by any way that there is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent.parent / "llm_gc"
OUTPUT = PACKAGE / "cli" / "output.py"

STREAMS = {"stdout", "stderr", "__stdout__", "__stderr__", "displayhook", "breakpointhook"}
PRINTING = {
    "sys": STREAMS,
    "os": {"write", "writev", "pwrite", "system", "popen"},
    "warnings": {"warn", "warn_explicit"},
    "click": {
        "echo", "echo_via_pager", "secho", "confirm", "prompt", "pause", "progressbar", "get_text_stream",
        "get_binary_stream", "open_file",
    },
}  # fmt: skip
"""What prints, of modules that do other things as well."""

MODULES = {"rich", "logging", "pprint", "faulthandler", "curses", "colorama", "blessed", "syslog", "pty", "subprocess"}
BUILTINS = {"print", "breakpoint", "input", "help", "exec", "eval", "__import__"}
METHODS = {"print", "print_exc", "print_exception", "print_stack", "print_tb", "print_help", "echo"}
DEVICES = ("/dev/tty", "/dev/std", "/dev/fd", "/proc/self/fd")

KNOWN = {
    ("api.py", "warnings.warn"),  # a program that calls run() decides itself where its warnings go
    ("cli/output.py", "*"),
    ("cli/exits.py", "os.write"),  # where Ctrl-C comes before anything else is loaded: its words are constant
    ("cli/failures.py", "logging"),  # which is silenced there
    ("cli/process.py", "os.write"),  # shows the cursor again before the process is ended by a second Ctrl-C
    ("sessions/journal.py", "os.write"),  # a file
}
"""What may be done where, and why."""


def ways(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield every way to a standard stream in a module: its line, and what it is called."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) if name in BUILTINS:
                yield node.lineno, name
            case ast.Attribute(value=ast.Name(id=module), attr=name) if name in PRINTING.get(module, ()):
                yield node.lineno, f"{module}.{name}"
            case ast.Call(func=ast.Attribute(attr=name)) if name in METHODS:
                yield node.lineno, f".{name}()"
            case ast.Import(names=names):
                yield from ((node.lineno, name.name) for name in names if _root(name.name) in MODULES)
            case ast.ImportFrom(module=str(module), names=names):
                printing = {name.name for name in names if _root(module) in MODULES}
                printing |= {name.name for name in names if name.name in PRINTING.get(module, ())}
                yield from ((node.lineno, f"{module}.{name}") for name in printing)
            case ast.Constant(value=str(text)) if text in STREAMS or text.startswith(DEVICES):
                yield node.lineno, f"'{text}'"


def _root(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_nothing_prints_around_it(file: Path) -> None:
    """Only ``cli/output.py`` prints; the few other ways to write are listed with their reason."""
    name = file.relative_to(PACKAGE).as_posix()
    found = [(line, way) for line, way in ways(ast.parse(file.read_text(encoding="utf-8"))) if file != OUTPUT]
    assert [(line, way) for line, way in found if (name, way) not in KNOWN] == []


@pytest.mark.parametrize(
    "code",
    [
        "print(x)",
        "import sys; sys.stdout.write(x)",
        "import sys; out = sys.__stderr__",
        "from sys import stderr",
        "import click; click.echo(x)",
        "from click import secho",
        "import rich.console",
        "from rich import print as show",
        "console.print(x)",
        "import os; os.write(1, x)",
        "import warnings; warnings.warn(x)",
        "import logging",
        "import traceback; traceback.print_exc()",
        "getattr(sys, 'stdout').write(x)",
        "open('/dev/stdout', 'w')",
    ],
)
def test_every_way_is_known(code: str) -> None:
    """The check above would see it."""
    assert [*ways(ast.parse(code))]


def test_prompts_are_drawn_on_the_one_stream() -> None:
    """What reads the keys is imported in one file, and is given a stream of ``cli/output.py``."""
    users = [file for file in PACKAGE.rglob("*.py") if "prompt_toolkit" in file.read_text(encoding="utf-8")]
    assert users == [PACKAGE / "cli" / "terminal_human.py"]
    assert "create_output(stdout=err.passage())" in users[0].read_text(encoding="utf-8")
