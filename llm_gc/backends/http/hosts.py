"""Where a server is: the address that was given, read as Ollama's own client reads it.

A name and password in an address are taken out of it here. What is left is safe to show and to record; the login goes
to the connection alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import unquote

from llm_gc.backends.http.kinds import OLLAMA, OPENAI, ServerKind
from llm_gc.values.safe_text import mask, parted

_PORTS = {"http": 80, "https": 443}
_AROUND = " \t\r\n\"'"


class Login(NamedTuple):
    """The name and password of an address, decoded; a name alone may be a token."""

    user: str
    password: str = ""

    def __repr__(self) -> str:
        """Return a text without the password."""
        return "Login(…)"


class Address(NamedTuple):
    """A base URL, what named it, and what was wrong with the name, if anything.

    ``by_user`` says whether the user of this machine named it, by a flag or the environment, and not a file.
    """

    url: str
    source: str
    warning: str | None = None
    by_user: bool = True
    login: Login | None = None

    @property
    def key(self) -> tuple[str, Login | None]:
        """What tells two servers apart: one server may be asked as several users."""
        return self.url, self.login


class AddressReading(NamedTuple):
    """The base URL that a text means, what is wrong with the text, what was taken instead, and the login in it."""

    url: str
    wrong: str = ""
    instead: str = ""
    login: Login | None = None

    @property
    def warning(self) -> str | None:
        """Both in one sentence; None where nothing is wrong."""
        return f"{self.wrong}; {self.instead} is used instead" if self.wrong else None


def find_address(flag: str | None, own: str | None, environ: Mapping[str, str], kind: ServerKind = OLLAMA) -> Address:
    """Return where to look: ``--host`` goes before a role's own host, that before the environment."""
    given = ((flag, "--host"), (own, "a role's host"), (environ.get(kind.variable), kind.variable))
    for text, source in given:
        if text and text.strip(_AROUND):
            read = base_url(text, kind)
            warning = f"{source}: {read.warning}" if read.warning else None
            return Address(read.url, source, warning, source != "a role's host", read.login)
    return Address(kind.default, "the default address")


def base_url(text: str | None, kind: ServerKind = OLLAMA) -> AddressReading:
    """Read an address; the URL has no slash at its end, and no login in it."""
    text = (text or "").strip(_AROUND)
    if text == "ollama.com" and kind is OLLAMA:
        return AddressReading("https://ollama.com:443")
    scheme, login, rest = parted(text)
    wrong = instead = ""
    scheme = scheme.lower()
    if scheme and scheme not in _PORTS:
        wrong, instead = f"{scheme}:// is neither http:// nor https://", "http://"
        scheme = ""
    hostport, _, path = rest.partition("/")
    host, given = _split(hostport)
    port = _PORTS.get(scheme, kind.port)
    if given is not None:
        if given.isascii() and given.isdigit() and 0 < int(given[:6]) < 65536:
            port = int(given)
        else:
            wrong, instead = f"{given!r} in {mask(text)!r} is no port", str(port)
    path = re.split("[?#]", path)[0].rstrip("/")
    url = f"{scheme or 'http'}://{_reachable(host)}:{port}{'/' if path else ''}{path}"
    user, _, password = login.partition(":")
    return AddressReading(url, wrong, instead, Login(unquote(user), unquote(password)) if login else None)


def logins_of(environ: Mapping[str, str], host: str | None) -> tuple[Login, ...]:
    """Return the logins in ``host``, and in the addresses of servers and proxies that the environment names."""
    variables = (OLLAMA.variable, OPENAI.variable)
    named = (value for name, value in environ.items() if name in variables or name.lower().endswith("_proxy"))
    return tuple(login for text in (host, *named) if (login := base_url(text).login) is not None)


def parts(url: str) -> tuple[str, str, str]:
    """Return the scheme, the host and the path of a base URL, however odd it is."""
    scheme, _, rest = url.partition("://")
    hostport, slash, path = rest.partition("/")
    return scheme, _split(hostport.rpartition("@")[2])[0], slash + path


def superfluous(url: str, ends: Sequence[str]) -> str:
    """Return which of ``ends`` a base URL has too much, as one that was copied from a request has; empty for none."""
    path = parts(url)[2].lower()
    return next((end for end in ends if path.endswith(end)), "")


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is this machine, by whatever name."""
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
