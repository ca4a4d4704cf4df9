"""github: workflow commands, which GitHub shows as annotations of the changed lines.

The commands are those of https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
"""

from __future__ import annotations

from collections.abc import Sequence

from llm_gc.analysis.formats.paths import from_root
from llm_gc.errors import Finding


def commands(findings: Sequence[Finding]) -> str:
    """Return one command for each finding."""
    return "\n".join(map(_command, findings))


def _command(finding: Finding) -> str:
    columns = {"col": finding.column}
    if finding.end_line == finding.line:  # GitHub takes an end column within one line only
        columns["endColumn"] = finding.end_column
    properties = {"file": from_root(finding.file), "line": finding.line, "endLine": finding.end_line, **columns}
    words = ",".join(f"{key}={_escaped(str(value))}" for key, value in (properties | {"title": finding.code}).items())
    return f"::{finding.severity} {words}::{_message(finding.text)}"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
