"""The logins in addresses, ``http://name:password@host``: parted from what may be shown and recorded."""

from __future__ import annotations

import re
from typing import Any

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*\Z")
_WORD = re.compile(r"[^\s\"']+")
_LOGIN = re.compile(r"(?<=://)[^\s/]*@")


def parted(address: str) -> tuple[str, str, str]:
    """Part an address into its scheme, its login, and host and path; what is absent is empty.

    A password with a slash in it is against the rules of URLs. It is known by what it would leave in the place of the
    port; else a part of it would be shown as a bad port.
    """
    scheme, found, rest = address.partition("://")
    if not found or not _SCHEME.match(scheme):
        scheme, rest = "", address
    authority, _, path = rest.partition("/")
    login, at, _ = authority.rpartition("@")
    _, colon, port = authority.rpartition(":")
    if not at and "@" in path and colon and not port.isdigit() and not port.endswith("]"):
        login, at, _ = rest.rpartition("@")
    return scheme, login, rest[len(login) + len(at) :]


def mask(address: str) -> str:
    """Return an address without the login in it."""
    scheme, _, rest = parted(address)
    return f"{scheme}://{rest}" if scheme else rest


def mask_all(text: str) -> str:
    """Return a text without the logins of the URLs in it."""
    return _LOGIN.sub("", text) if "@" in text else text


def blot(line: str) -> str:
    """Return a line of a file with stars in the place of logins, so that nothing in it moves."""
    return _WORD.sub(_blotted, line) if "@" in line else line


def _blotted(word: re.Match[str]) -> str:
    before, at, host = word[0].rpartition("@")
    scheme, found, login = before.partition("://")
    if not at or not (found or ":" in before):
        return word[0]
    shown = scheme + found if found else ""
    return shown + "*" * len(login if found else before) + at + host


def masked(data: Any, key: str = "") -> Any:
    """Return data of a pipeline without the logins of its hosts; the very same object where there are none."""
    if isinstance(data, dict):
        found = {name: masked(value, name) for name, value in data.items()}
        return found if any(found[name] is not value for name, value in data.items()) else data
    if key == "host" and isinstance(data, str):
        address = mask(data)
        return data if address == data else address
    return data
