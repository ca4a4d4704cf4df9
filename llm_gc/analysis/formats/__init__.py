"""The forms in which findings are given out: one file each, one line each here."""

from collections.abc import Callable, Sequence

from llm_gc.analysis.formats import github, json, sarif, text
from llm_gc.errors import Finding

Format = Callable[[Sequence[Finding]], str]
"""Gives all findings as the text that is printed, without a line end."""

FORMATS: dict[str, Format] = {"text": text.plain, "json": json.dump, "github": github.commands, "sarif": sarif.log}

__all__ = ["FORMATS", "Format"]
