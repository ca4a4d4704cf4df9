"""Addresses are read as the official client reads them."""

from __future__ import annotations

import pytest

from llm_gc.backends.http.hosts import AddressReading, base_url, find_address, is_loopback, parts
from llm_gc.values.safe_text import mask

GOOD = [
    (None, "http://127.0.0.1:11434"),
    ("", "http://127.0.0.1:11434"),
    ("  ", "http://127.0.0.1:11434"),
    ("host", "http://host:11434"),
    ("1.2.3.4", "http://1.2.3.4:11434"),
    ("::1", "http://[::1]:11434"),
    ("[::1]", "http://[::1]:11434"),
    ("host:9", "http://host:9"),
    ("1.2.3.4:9", "http://1.2.3.4:9"),
    ("[::1]:9", "http://[::1]:9"),
    ("http://host", "http://host:80"),
    ("http://host/", "http://host:80"),
    ("http://host:9/", "http://host:9"),
    ("HTTP://host", "http://host:80"),
    ("https://host", "https://host:443"),
    ("https://host/ollama", "https://host:443/ollama"),
    ("https://host/ollama/", "https://host:443/ollama"),
    ("https://host:9/a/b//", "https://host:9/a/b"),
    ("host/ollama?x=1#y", "http://host:11434/ollama"),
    ("0.0.0.0", "http://127.0.0.1:11434"),
    ("0.0.0.0:5000", "http://127.0.0.1:5000"),
    ("http://0.0.0.0", "http://127.0.0.1:80"),
    ("::", "http://[::1]:11434"),
    ("[::]:5", "http://[::1]:5"),
    (":9", "http://127.0.0.1:9"),
    ("ollama.com", "https://ollama.com:443"),
    (' "host:9" ', "http://host:9"),
    ("' host '", "http://host:11434"),
]
LOGINS = [
    ("user:secret@host:9", "http://host:9", ("user", "secret")),
    ("https://user:secret@[::1]/x", "https://[::1]:443/x", ("user", "secret")),
    ("http://u:p@ss@h", "http://h:80", ("u", "p@ss")),
    ("http://u%40x:p%2F%20@h", "http://h:80", ("u@x", "p/ ")),
    ("http://token@h/v1", "http://h:80/v1", ("token", "")),
    ("http://u:p#s?s@h", "http://h:80", ("u", "p#s?s")),
    ("http://u:pass/word@h:9/v1", "http://h:9/v1", ("u", "pass/word")),
    ("u:a://b@h", "http://h:11434", ("u", "a://b")),
    ("http://h:9/at@home", "http://h:9/at@home", None),
    ("http://@h", "http://h:80", None),
]
ODD = [
    ("host:", "http://host:11434", "''"),
    ("host:abc", "http://host:11434", "'abc'"),
    ("host:99999", "http://host:11434", "'99999'"),
    ("host:-1", "http://host:11434", "'-1'"),
    ("host:0", "http://host:11434", "'0'"),
    ("host:" + "9" * 30, "http://host:11434", "is no port"),
    ("http://host:abc", "http://host:80", "'abc'"),
    ("https://host:abc/x", "https://host:443/x", "'abc'"),
    ("ftp://host", "http://host:11434", "ftp://"),
]


@pytest.mark.parametrize(("text", "url"), GOOD)
def test_an_address_becomes_a_base_url(text: str | None, url: str) -> None:
    """Each form of an address has its meaning, without a warning."""
    assert base_url(text) == AddressReading(url)
    assert base_url(text).warning is None


@pytest.mark.parametrize(("text", "url", "login"), LOGINS)
def test_a_login_is_no_part_of_a_base_url(text: str, url: str, login: tuple[str, str] | None) -> None:
    """It is kept apart, decoded, so that no message and no record can hold it."""
    read = base_url(text)
    assert (read.url, read.login, read.warning) == (url, login, None)
    assert login is None or not login[1] or login[1] not in f"{read} {mask(text)}"


@pytest.mark.parametrize(("text", "url", "words"), ODD)
def test_a_bad_part_of_an_address_is_replaced_and_warned_of(text: str, url: str, words: str) -> None:
    """What is no port gives way to the default of its scheme, and the warning quotes it."""
    read = base_url(text)
    warning = read.warning
    assert read.url == url
    assert warning is not None
    assert words in warning


def test_the_flag_goes_before_the_role_and_the_role_before_the_environment() -> None:
    """The nearest address wins, an empty one is none, and it is remembered what named it."""
    environ = {"OLLAMA_HOST": "env"}
    named = [
        find_address("flag", "role", environ),
        find_address(None, "role", environ),
        find_address("", " ", environ),
        find_address(None, None, {}),
    ]
    assert [(address.url, address.source) for address in named] == [
        ("http://flag:11434", "--host"),
        ("http://role:11434", "a role's host"),
        ("http://env:11434", "OLLAMA_HOST"),
        ("http://127.0.0.1:11434", "the default address"),
    ]


def test_a_warning_says_what_named_the_address() -> None:
    """A bad port is warned of together with where it is, and without the password beside it."""
    warning = find_address(None, None, {"OLLAMA_HOST": "me:secret@host:x"}).warning
    assert warning == "OLLAMA_HOST: 'x' in 'host:x' is no port; 11434 is used instead"


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("gpu", False),
        ("", False),
    ],
)
def test_loopback_is_told_from_elsewhere(host: str, local: bool) -> None:
    """This machine is known by each of its own names."""
    assert is_loopback(host) is local


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://me:secret@gpu:9/v1/x", ("http", "gpu", "/v1/x")),
        ("https://[::1]:443", ("https", "::1", "")),
        ("http://[::1", ("http", "::1", "")),
        ("http://:9/", ("http", "", "/")),
    ],
)
def test_the_parts_of_a_base_url(url: str, found: tuple[str, str, str]) -> None:
    """Nothing is so odd that it raises."""
    assert parts(url) == found
