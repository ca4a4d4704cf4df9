"""httpx is imported without its command line."""

from __future__ import annotations

import subprocess
import sys

NONE_OF = "assert not {'click', 'rich', 'pygments'} & set(sys.modules), sorted(sys.modules)"


def python(program: str) -> None:
    """Run a program in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_backend_does_not_pull_in_a_command_line() -> None:
    """Importing the backend loads neither click nor rich nor pygments, and leaves no trap behind."""
    python(f"import sys, llm_gc.backends.ollama; {NONE_OF}; assert 'httpx._main' not in sys.modules")


def test_the_command_line_of_httpx_still_works() -> None:
    """Whoever wants httpx's own command line can import it after us."""
    python("import llm_gc.backends.ollama, httpx._main, httpx; assert httpx._main.main; httpx.Client().close()")


def test_an_httpx_that_is_there_is_taken() -> None:
    """Where httpx was imported before, that very module is used."""
    python("import httpx; from llm_gc.backends.http._httpx import httpx as ours; assert ours is httpx")
