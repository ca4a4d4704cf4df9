"""Where a server is: the address that was given, read as the official client reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

PORT = 11434
DEFAULT = f"http://127.0.0.1:{PORT}"
_PORTS = {"http": 80, "https": 443}
_AROUND = " \t\r\n\"'"
_USERINFO = re.compile(r"(?<=//)[^/@]*@|^[^/@]*@")


class Address(NamedTuple):
    """A base URL, what named it, and what was wrong with the name, if anything."""

    url: str
    source: str
    warning: str | None = None


def find_address(flag: str | None, own: str | None, environ: Mapping[str, str]) -> Address:
    """Tell where to look: ``--host`` goes before a role's own host, that before ``OLLAMA_HOST``."""
    given = ((flag, "--host"), (own, "a role's host"), (environ.get("OLLAMA_HOST"), "OLLAMA_HOST"))
    for text, source in given:
        if text and text.strip(_AROUND):
            url, warning = base_url(text)
            return Address(url, source, warning and f"{source}: {warning}")
    return Address(DEFAULT, "the default address")


def base_url(text: str | None) -> tuple[str, str | None]:
    """Give the base URL that ``text`` means, without a slash at its end, and what was wrong with ``text``."""
    text = (text or "").strip(_AROUND)
    if text == "ollama.com":
        return "https://ollama.com:443", None
    scheme, found, rest = text.partition("://")
    scheme, rest = (scheme.lower(), rest) if found else ("", text)
    warning = None
    if scheme and scheme not in _PORTS:
        warning = f"{scheme}:// is neither http:// nor https://; http:// is used instead"
        scheme = ""
    before, _, path = rest.partition("/")
    user, at, hostport = before.rpartition("@")
    host, given = _split(hostport)
    port = _PORTS.get(scheme, PORT)
    if given is not None:
        if given.isascii() and given.isdigit() and 0 < int(given[:6]) < 65536:
            port = int(given)
        else:
            warning = f"{given!r} in {mask(text)!r} is no port; {port} is used instead"
    path = re.split("[?#]", path)[0].rstrip("/")
    return f"{scheme or 'http'}://{user}{at}{_reachable(host)}:{port}{'/' if path else ''}{path}", warning


def mask(url: str) -> str:
    """Give ``url`` without a name and password in it: for messages."""
    return _USERINFO.sub("", url)


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` is this machine, by whatever name."""
    address = _address(host)
    if address is None:
        return host.lower().rstrip(".").rpartition(".")[2] == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _split(hostport: str) -> tuple[str, str | None]:
    if _address(hostport.strip("[]")) is not None:  # the colons of a bare IPv6 address part no port from it
        return hostport.strip("[]"), None
    host, colon, port = hostport.rpartition(":")
    return (host.strip("[]"), port) if colon else (port.strip("[]"), None)


def _reachable(host: str) -> str:
    address = _address(host)
    if not host or (address is not None and address.is_unspecified):  # addresses to listen on, not to call
        return "[::1]" if isinstance(address, IPv6Address) else "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
