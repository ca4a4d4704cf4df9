"""A browser without a screen and without a network, where one is installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip
WIDE, PHONE = (1280, 900), (390, 844)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the browser; skip what needs it where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser is installed: none of {', '.join(NAMES)} is in the PATH")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=FLAGS)
        try:
            yield started
        finally:
            started.close()


class Looker:
    """Opens pages from the disk, and keeps whatever they complain of or ask for."""

    def __init__(self, started: Browser) -> None:
        self._browser = started
        self.messages: list[str] = []
        self.requests: list[str] = []

    @contextmanager
    def open(self, file: Path, size: tuple[int, int] = WIDE, **options: Any) -> Iterator[Page]:
        """Open a file in a window of so many pixels; afterwards, nothing may have been complained of or asked for."""
        window = {"width": size[0], "height": size[1]}
        context = self._browser.new_context(viewport=window, offline=True, **options)  # type: ignore[arg-type]
        page = context.new_page()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("request", self._asked)
        try:
            page.goto(file.as_uri())
            yield page
        finally:
            context.close()
        assert self.messages == []
        assert self.requests == [file.as_uri()]
        self.requests.clear()

    def _said(self, message: ConsoleMessage) -> None:
        self.messages.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith("data:"):
            self.requests.append(request.url)
