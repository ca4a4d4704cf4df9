"""httpx without its command line: import it from here, wherever it is needed."""

from __future__ import annotations

import sys

# ``import httpx`` also imports httpx._main, and with it click, rich and pygments where they are installed:
# 100 ms for a program that nobody asked for. None in sys.modules makes that one import fail, and httpx is
# prepared for that.
if "httpx" in sys.modules:
    import httpx
else:
    sys.modules["httpx._main"] = None  # type: ignore[assignment]
    try:
        import httpx
    finally:
        del sys.modules["httpx._main"]

__all__ = ["httpx"]
