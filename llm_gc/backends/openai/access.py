"""Where an OpenAI-compatible server is, and whether it is shown the user's key."""

from __future__ import annotations

from collections.abc import Mapping

from llm_gc.backends.wire.hosts import Address, find_address, is_loopback, parts
from llm_gc.backends.wire.kinds import KEY_VARIABLE, OPENAI
from llm_gc.errors import UsageError

KEY = KEY_VARIABLE


def find(flag: str | None, own: str | None, environ: Mapping[str, str]) -> Address:
    """Tell where the server of a role is; an address without a path means the usual one.

    Raises:
        UsageError: where nobody says.

    """
    address = find_address(flag, own, environ, OPENAI)
    if not address.url:
        raise UsageError(
            "nothing says where the OpenAI-compatible server is: give --host, a `host` in the role, or OPENAI_BASE_URL"
        )
    _, _, path = parts(address.url)
    return address if path else address._replace(url=f"{address.url}/v1")


def key_for(address: Address, environ: Mapping[str, str]) -> str | None:
    """Give the key that the server at ``address`` may see: only one that a flag or the environment names may.

    A pipeline is a file that may come from anywhere: its hosts are none that the user has named.

    Raises:
        UsageError: where what stands in the environment can be no key.

    """
    key = environ.get(KEY, "").strip()
    if not key:
        return None
    if not key.isascii() or not key.isprintable():
        raise UsageError(f"{KEY} holds characters that no key has; see how it was set")
    if address.by_user:
        return key
    named = environ.get(OPENAI.variable)
    return key if named and find(None, None, environ).url == address.url else None


def in_clear(address: Address) -> bool:
    """Tell whether what is sent there can be read on the way."""
    scheme, host, _ = parts(address.url)
    return scheme == "http" and not is_loopback(host)
