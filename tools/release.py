"""Checks that a tag, the package and the changelog name one version: ``python -m tools.release v1.2.3``.

It ends with 1 and says what differs where they do not. It needs nothing installed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from llm_gc._version import __version__

CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"


def problems(tag: str, version: str, changelog: str) -> list[str]:
    """Return what keeps ``version`` from being released as ``tag``, a sentence each."""
    found = []
    if tag != f"v{version}":
        found.append(f"the tag is {tag}, but llm_gc/_version.py says {version}: the tag must be v{version}")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        found.append(f"CHANGELOG.md has no section '## [{version}] - YYYY-MM-DD'")
    unreleased = re.search(r"^## \[Unreleased\]\n(.*?)(?=^## \[|\Z)", changelog, re.MULTILINE | re.DOTALL)
    if unreleased and unreleased[1].strip():
        found.append("CHANGELOG.md still has entries under [Unreleased]: move them to the section of the version")
    return found


def main() -> int:
    """Print what differs; return 1 where anything does."""
    found = problems(sys.argv[1], __version__, CHANGELOG.read_text(encoding="utf-8"))
    print("\n".join(found) or f"{sys.argv[1]} can be released.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
