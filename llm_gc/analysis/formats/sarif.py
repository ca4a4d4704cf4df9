"""sarif: the Static Analysis Results Interchange Format, version 2.1.0, for code scanning services and editors.

The format is that of https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from llm_gc._version import __version__
from llm_gc.analysis.formats.paths import from_root
from llm_gc.analysis.rule_pages import pages
from llm_gc.errors import Finding

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"


def log(findings: Sequence[Finding]) -> str:
    """Return all findings as one run of llm-gc, with the pages of the codes that are found."""
    codes = sorted({finding.code for finding in findings})
    driver = {"name": "llm-gc", "version": __version__, "rules": [_rule(code) for code in codes]}
    results = [_result(finding, codes) for finding in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _rule(code: str) -> dict[str, Any]:
    found = pages().get(code)
    if found is None:  # what fails while a conversation runs
        return {"id": code}
    level = {"level": found.severity}
    return {
        "id": code,
        "shortDescription": {"text": found.sentence},
        "defaultConfiguration": level,
        "help": {"text": str(found)},
    }


def _result(finding: Finding, codes: Sequence[str]) -> dict[str, Any]:
    region = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endLine": finding.end_line,
        "endColumn": finding.end_column,
    }
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": {"uri": _uri(finding.file)}, "region": region},
    }
    if finding.path:
        location["logicalLocations"] = [{"fullyQualifiedName": finding.path}]
    return {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": finding.severity,
        "message": {"text": finding.text},
        "locations": [location],
    }


def _uri(file: str) -> str:
    """Return a file as a reference to it: relative to the repository's root, or absolute as an address."""
    path = Path(from_root(file))
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
