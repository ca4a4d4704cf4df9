"""Writes the JSON Schemas: ``python -m tools.schemas [FOLDER]``, ``schemas/`` where none is named."""

from __future__ import annotations

import sys
from pathlib import Path

from llm_gc.analysis.document_schemas import SCHEMAS, text_of


def main() -> None:
    """Write the schemas."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "schemas")
    folder.mkdir(exist_ok=True)
    for name, make in SCHEMAS.items():
        (folder / name).write_text(text_of(make()), encoding="utf-8")


if __name__ == "__main__":
    main()
