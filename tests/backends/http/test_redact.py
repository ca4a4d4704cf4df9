"""A secret that a server repeats is replaced, in whatever writing and however it is cut; ordinary text is not."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_gc.backends.http.hosts import Login
from llm_gc.backends.http.redact import LEFT_OUT, MOST, RedactingStream, Redactor, forms_of, is_placeholder

KEY = "sk-proj-Ab/12Cd34Ef56Gh78"
LOGIN = Login("anna", "pa%ss\\w@rd&é7")
REDACTOR = Redactor(forms_of(KEY, [LOGIN]))
SECRETS = (KEY, LOGIN.password, b64encode(f"{LOGIN.user}:{LOGIN.password}".encode()).decode())


def each(text: str, form: str) -> str:
    """A text with each character escaped."""
    return "".join(form.format(ord(char)) for char in text)


WRITINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda secret: secret,
    "escaped": lambda secret: each(secret, "\\u{:04x}"),
    "escaped in capitals": lambda secret: each(secret, "\\u{:04X}"),
    "escaped twice": lambda secret: each(secret, "\\\\u{:04x}"),
    "escaped in part": lambda secret: "".join(f"\\u{ord(c):04x}" if n % 3 else c for n, c in enumerate(secret)),
    "JSON": lambda secret: json.dumps(secret)[1:-1],
    "JSON in JSON": lambda secret: json.dumps(json.dumps(secret))[3:-3],
    "bytes": lambda secret: repr(secret.encode())[2:-1],
    "URL": lambda secret: quote(secret, safe=""),
    "URL, every character": lambda secret: "".join(f"%{byte:02x}" for byte in secret.encode()),
    "HTML": lambda secret: secret.replace("&", "&amp;"),
    "HTML, every character": lambda secret: each(secret, "&#{};"),
    "HTML in hex": lambda secret: each(secret, "&#x{:x};"),
}  # fmt: skip


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize("secret", SECRETS)
def test_each_writing_is_replaced(secret: str, writing: str) -> None:
    """Whole, and from twelve characters of the beginning on."""
    written = WRITINGS[writing](secret)
    marker = "(the key)" if secret == KEY else "(the password)"
    assert REDACTOR.hide(f"you sent [{written}], I say") == f"you sent [{marker}], I say"
    beginning = WRITINGS[writing](secret[:12])
    assert REDACTOR.hide(f"you sent {beginning}") == f"you sent {marker}"
    assert REDACTOR.hide_bytes(f"a {written}".encode()) == f"a {marker}".encode()


def test_a_short_beginning_is_ordinary_text() -> None:
    """Eleven characters of a longer secret prove nothing, and nobody loses much by them."""
    assert REDACTOR.hide(KEY[:11]) == KEY[:11]
    assert REDACTOR.hide(f"{KEY[:11]} {KEY[:12]}") == f"{KEY[:11]} (the key)"
    assert Redactor(forms_of("q7w8e9r0")).hide("q7w8e9r0 q7w8e9r q7w8e9r1") == "(the key) q7w8e9r q7w8e9r1"
    assert Redactor(forms_of("q7w8e9r")).hide("q7w8e9r") == "q7w8e9r"


def test_a_short_password_is_hidden_where_it_stands_in_an_address() -> None:
    """There it is known by the name before it; alone it would be found in ordinary text."""
    redactor = Redactor(forms_of(None, [Login("u", "p@ss")]))
    assert redactor.hide("http://u:p@ss@gpu:9/x, p@ss") == "http://(the password)@gpu:9/x, p@ss"
    assert redactor.hide("Authorization: Basic dTpwQHNz") == "Authorization: Basic (the password)"
    assert Redactor(forms_of(None, [Login("tok-1234")])).hide("http://tok-1234@h") == "http://(the password)@h"


@pytest.mark.parametrize(
    "key",
    ["lm-studio", "LM-Studio", "ollama", "none", "EMPTY", "dummy-key", "not-needed", "sk-no-key-required",
     "sk-xxxxxxxxxxxxxxxx", "your_api_key_here", "sk-0000000000", "localhost", "anything", "placeholder"],
)  # fmt: skip
def test_a_placeholder_eats_no_text(key: str) -> None:
    """It is no secret, so it stays where a model writes it."""
    assert is_placeholder(key)
    assert forms_of(key) == ()
    assert Redactor(()).hide(f"Start {key} first.") == f"Start {key} first."


@pytest.mark.parametrize(
    "key", ["sk-1234567890", "supersecret", "hunter2hunter2", "correct-horse-battery", "sk-or-v1-9f8e"]
)
def test_every_other_key_is_a_secret(key: str) -> None:
    """Also one of plain words, which nobody can tell from a secret."""
    assert not is_placeholder(key)
    assert Redactor(forms_of(key)).hide(f"it is {key}!") == "it is (the key)!"


PIECES = st.lists(
    st.sampled_from(
        ["s", "sk-", "k", "-", KEY, KEY[:12], KEY[:11], KEY[3:], LOGIN.password, "pa", "%", "\\", "\\\\", "u0073",
         "\\u0073", "anna:", "@", "&", "&#115;", "&#1", "é", "%73", "%25", "x73", " "]
    ),
    max_size=12,
)  # fmt: skip


@given(PIECES, st.data())
def test_where_a_text_is_cut_makes_no_difference(pieces: list[str], data: st.DataObject) -> None:
    """A text that comes in pieces is what it is as a whole, and no more is held back than a secret is long."""
    text = "".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    stream, found = RedactingStream(REDACTOR), ""
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        found += stream.feed(text[begin:end])
    assert found + stream.finish() == REDACTOR.hide(text)


@given(st.text())
def test_ordinary_text_is_left_alone(text: str) -> None:
    """And what is safe is passed on at once."""
    assert REDACTOR.hide(text) == text
    stream = RedactingStream(REDACTOR)
    assert stream.feed("Hello, world! ") == "Hello, world! "
    assert (stream.feed("s"), stream.feed("k"), stream.feed("y")) == ("", "", "sky")


def test_a_secret_spread_over_several_texts_is_found() -> None:
    """As in the arguments of a tool call, which come in pieces."""
    calls = [{"function": {"arguments": f'{{"a": "{KEY[:9]}'}}, {"n": 1, "function": {"arguments": f'{KEY[9:]}"}}'}}]
    assert REDACTOR.hide_in(calls) == [
        {"function": {"arguments": '{"a": "(the key)'}},
        {"n": 1, "function": {"arguments": '"}'}},
    ]
    assert REDACTOR.hide_in({KEY: [f"x{KEY}y", 1, None]}) == {"(the key)": ["x(the key)y", 1, None]}
    untouched = ["nothing", {"a": 1}]
    assert REDACTOR.hide_in(untouched) == untouched


def test_a_text_full_of_secrets_is_given_up() -> None:
    """So that no text takes long; what it is does not depend on how it came."""
    whole = REDACTOR.hide(f"{KEY} " * (MOST + 5))
    assert whole.count("(the key)") == MOST
    assert whole.endswith(LEFT_OUT)
    stream = RedactingStream(REDACTOR)
    assert "".join(stream.feed(f"{KEY} ") for _ in range(MOST + 5)) + stream.finish() == whole
    assert json.dumps(REDACTOR.hide_in([KEY] * (MOST + 5))).count("(the key)") == MOST
