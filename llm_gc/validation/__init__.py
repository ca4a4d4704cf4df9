"""Checks files and folders: everything that is wrong in all of them, in one order whatever it was found by."""

from llm_gc.project import STDIN_NAME
from llm_gc.validation.checking import ValidationReport, validate
from llm_gc.validation.discovery import KINDS, DocumentKind

__all__ = ["KINDS", "STDIN_NAME", "DocumentKind", "ValidationReport", "validate"]
