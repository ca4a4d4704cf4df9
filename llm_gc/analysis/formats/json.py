"""json: a list of objects, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from llm_gc.errors import Finding

FIELDS = ("file", "line", "column", "end_line", "end_column", "code", "severity", "message", "path", "hint")


def dump(findings: Sequence[Finding]) -> str:
    """Return all findings; lines and columns count from 1, the end is exclusive, and what is not known is empty."""
    return json.dumps([{key: getattr(one, key) for key in FIELDS} for one in findings], indent=2, ensure_ascii=False)
