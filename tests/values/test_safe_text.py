"""Logins in addresses are taken out of what is shown and recorded."""

from __future__ import annotations

from typing import Any

import pytest

from llm_gc.values.safe_text import blot, mask, mask_all, masked


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://me:secret@host:9/x", "http://host:9/x"),
        ("me:secret@host:9/x", "host:9/x"),
        ("http://u:p@ss@h", "http://h"),
        ("http://u:pass/word@h", "http://h"),
        ("http://h/at@home", "http://h/at@home"),
        ("http://[::1]/at@home", "http://[::1]/at@home"),
        ("gpu", "gpu"),
        ("", ""),
    ],
)
def test_passwords_are_not_shown(address: str, shown: str) -> None:
    """A name and password in an address stay out of messages."""
    assert mask(address) == shown


def test_each_url_in_a_text_is_masked() -> None:
    """Also where the password has an @ in it; an address for mail is none."""
    text = "see https://a:b@c@one/x@y and socks5://t@two, or write to me@home"
    assert mask_all(text) == "see https://one/x@y and socks5://two, or write to me@home"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('host: "http://u:p@ss@h:9"', 'host: "http://******@h:9"'),
        ("host: u:p@h, x: http://token@h/", "host: ***@h, x: http://*****@h/"),
        ("write to me@home", "write to me@home"),
        ("a: b", "a: b"),
    ],
)
def test_a_line_is_blotted_in_place(line: str, shown: str) -> None:
    """A mark under a word stays under it."""
    assert blot(line) == shown
    assert len(blot(line)) == len(line)


def test_the_hosts_of_a_document_are_masked() -> None:
    """At any depth, and nothing else is touched."""
    document: dict[str, Any] = {"roles": {"a": {"host": "u:p@h", "prompt": "u:p@h"}}, "defaults": {"host": "h"}}
    assert masked(document) == {"roles": {"a": {"host": "h", "prompt": "u:p@h"}}, "defaults": {"host": "h"}}
    plain = {"roles": {"a": {"host": "http://h"}}}
    assert masked(plain) is plain
