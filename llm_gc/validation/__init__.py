"""Checks files and folders: everything that is wrong in all of them, in one order whatever it was found by."""

from llm_gc.project import STDIN_NAME
from llm_gc.validation.checking import Report, validate
from llm_gc.validation.documents import KINDS, Kind

__all__ = ["KINDS", "STDIN_NAME", "Kind", "Report", "validate"]
