"""Lines of a report: broken between words in a terminal, with what is broken off set in; whole in a pipe."""

from __future__ import annotations

import sys


def fitted(line: str) -> str:
    """Give a line without escape sequences as it is to be printed; what goes on below stands behind its beginning."""
    from shutil import get_terminal_size
    from textwrap import wrap

    width = get_terminal_size().columns
    if not sys.stdout.isatty() or len(line) <= width:
        return line
    text = line.lstrip(" ")
    indent = " " * (len(line) - len(text))
    pieces = wrap(
        text, max(width, 40), initial_indent=indent, subsequent_indent=f"{indent}  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return "\n".join(pieces)
