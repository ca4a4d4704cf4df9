"""Sandboxed Jinja: a template or an expression in, a plain frozen value out.

The author's templates are code, what models write is data: it is handed in as values and never rendered. Undefined
names are errors. There is no clock, no chance and no way to a file: templates come from a mapping that was read before.
"""

from llm_gc.templates.compiling import Compiled, Lookup, Templates, is_file, referenced, taken
from llm_gc.templates.lexer import column
from llm_gc.templates.name_finder import Spotted, Use
from llm_gc.templates.parsing import comments, parsed, without_braces

__all__ = [
    "Compiled",
    "Lookup",
    "Spotted",
    "Templates",
    "Use",
    "column",
    "comments",
    "is_file",
    "parsed",
    "referenced",
    "taken",
    "without_braces",
]
