"""Writes the manual of findings: ``python -m tools.rule_pages [FILE]``, ``docs/rules.md`` where none is named."""

from __future__ import annotations

import sys
from pathlib import Path

from llm_gc.analysis.rule_pages import document


def main() -> None:
    """Write the document."""
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/rules.md")
    file.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
