"""Take the secrets that servers were shown out of what they send, before anybody sees it; it does no I/O.

Theory of operation. A server that got a key or a password may repeat it: in an error, a redirect, a header, a model's
reply. ``Redactor`` knows secrets in all their ``forms`` and replaces each of them by a marker; it is the ``Vault`` that
has all secrets of a run, for what one server was shown another one may repeat. Every
character of a form may also be written as an escape of JSON, of a URL or of HTML. A secret counts where it is whole and
has ``WHOLE`` characters, or where its beginning has ``PREFIX``. ``Stream`` does the same for a text that comes in
pieces: it holds back what may be the beginning of a secret until that is known, so that the result is the same however
the text was cut. ``hide(text)`` is a stream of one piece.

Which keys are secrets: see ``is_placeholder``. A password in an address always is.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from llm_gc.backends.http.hosts import Login, logins_of
from llm_gc.backends.http.kinds import KEY_VARIABLE

WHOLE, PREFIX = 8, 12
"""The fewest characters of a secret that are replaced: of a whole one, and of the beginning of a longer one."""

MOST = 1000
"""The most secrets that are replaced in one text; what follows is left out, so that no text can take long."""

KEY, PASSWORD, LEFT_OUT = "(the key)", "(the password)", "(the rest is left out)"

_WORDS = """
any anything api apikey change changeme cpp debug default demo dev development dummy empty example fake foo goes gpt
here ignore ignored insert key keys kobold koboldcpp llama llamacpp llm lm lmstudio local localhost me na necessary
needed no nokey none not nothing null ollama openai placeholder put required sample server sglang sk some something
studio tabby test testing textgen todo token unused vllm whatever you your
"""
PLACEHOLDER_WORDS = frozenset(_WORDS.split())
"""The words of which the keys consist that people write where a server wants some key and looks at none."""

_ESCAPED = 26
"""The most characters of one escape."""
_ESCAPES = frozenset("\\%&")
_BEGUN = re.compile(
    r"(?:(?:\\{1,8}u[0-9a-fA-F]{4})?\\{1,8}(?:u[0-9a-fA-F]{0,3})?"
    r"|\\{1,8}u[0-9a-fA-F]{4}"
    r"|(?:\\{1,8}x[0-9a-fA-F]{2}){0,3}\\{1,8}(?:x[0-9a-fA-F]{0,2})?"
    r"|(?:%[0-9a-fA-F]{2}){0,3}%[0-9a-fA-F]{0,2}"
    r"|&(?:#[0-9]{0,9}|#[xX][0-9a-fA-F]{0,9}|[a-z]{0,4}))\Z"
)
"""An escape of which not all has come yet."""

_NAMED = {"&": "amp", '"': "quot", "'": "apos", "<": "lt", ">": "gt"}


class SecretForm(NamedTuple):
    """One way in which a secret may be written; ``least`` of its characters at the front are enough to replace it."""

    text: str
    marker: str
    least: int


def is_placeholder(key: str) -> bool:
    """Check whether a key is none, such as ``lm-studio`` or ``sk-no-key-required``.

    It is one where it consists of ``PLACEHOLDER_WORDS`` and of fillers (``xxxx``, ``0000``) alone, joined by hyphens
    and the like. Such words are common in what models write, and nobody is harmed where they are read. Every other key
    is a secret, also one that is a plain word.
    """
    words = re.split(r"[^0-9A-Za-z]+", key.lower())
    return all(len(word) <= 1 or word in PLACEHOLDER_WORDS or set(word) in ({"x"}, {"0"}) for word in words)


def forms_of(key: str | None, logins: Iterable[Login] = ()) -> tuple[SecretForm, ...]:
    """Return each form that a key and the logins may take."""
    found: list[SecretForm] = []
    if key and not is_placeholder(key):
        found += _forms(key, KEY)
    for login in logins:
        token = login.password or login.user
        pair = f"{login.user}:{login.password}"
        found += _forms(token, PASSWORD)
        found += [form for coded in _base64(pair) for form in _form(coded, PASSWORD)]
        if login.password:  # as it is in an address; so a password too short to be searched for is hidden there
            found.append(SecretForm(f"{pair}@", f"{PASSWORD}@", len(pair) + 1))
    return tuple(dict.fromkeys(found))


class Redactor:
    """Replace secrets in whole texts, and in data."""

    def __init__(self, forms: Iterable[SecretForm] = ()) -> None:
        """Take the forms of all secrets."""
        self.forms = tuple(forms)
        firsts = {form.text[0] for form in self.forms}
        starts = "|".join("".join(map(_token, form.text[: form.least])) for form in self.forms)
        signs = "".join(map(re.escape, sorted(_ESCAPES | firsts)))
        self._start = re.compile(f"(?=[{signs}])(?:{starts})") if starts else None
        self._by_first = {first: [form for form in self.forms if form.text[0] == first] for first in firsts - _ESCAPES}
        self._by_first |= {sign: [*self.forms] for sign in _ESCAPES}
        self._tokens: dict[str, re.Pattern[str]] = {}

    def hide(self, text: str) -> str:
        """Return a text without the secrets in it."""
        if self._start is None:
            return text
        return RedactingStream(self).finish(text)

    def hide_bytes(self, data: bytes) -> bytes:
        """Return the bytes of a text without the secrets in it."""
        if self._start is None:
            return data
        return self.hide(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def hide_in(self, data: Any) -> Any:
        """Return JSON data without the secrets in its texts, also where one is spread over several values."""
        if self._start is None:
            return data
        texts: list[str] = []

        def collect(text: str) -> str:
            texts.append(text)
            return text

        data = _changed(data, self.hide, collect)
        pieces = iter(_cut_out(texts, self.spans("".join(texts))))
        return _changed(data, str, lambda _: next(pieces))

    def spans(self, text: str) -> list[tuple[int, int, str]]:
        """Return where the secrets of a whole text begin and end, and the marker of each."""
        found: list[tuple[int, int, str]] = []
        at = 0
        while (at := self.next_start(text, at, is_whole=True)) >= 0:
            end, marker = self.match(text, at, is_whole=True) or (len(text), "")
            if len(found) == MOST:
                return [*found, (at, len(text), LEFT_OUT)]
            if marker:
                found.append((at, end, marker))
            at = max(end, at + 1)
        return found

    def next_start(self, text: str, at: int, *, is_whole: bool) -> int:
        """Return the next place from ``at`` on where a secret may begin; -1 where there is none."""
        tail = len(text) if is_whole else max(at, len(text) - PREFIX * _ESCAPED)  # where only a part of it may be
        found = self._start.search(text, at) if self._start is not None else None
        if found is not None and found.start() < tail:
            return found.start()
        return next((place for place in range(tail, len(text)) if text[place] in self._by_first), -1)

    def match(self, text: str, at: int, *, is_whole: bool) -> tuple[int, str] | None:
        """Return where a secret that begins at ``at`` ends, and its marker, which is empty where there is no secret.

        The longest one counts. The answer is ``None`` where more text could change it; ``is_whole`` says that no more
        comes.
        """
        best, best_marker = at, ""
        for form in self._by_first[text[at]]:
            found = self._length(form, text, at, is_whole)
            if found is None:
                return None
            count, end = found
            if count >= form.least and end > best:
                best, best_marker = end, form.marker
        return best, best_marker

    def _length(self, form: SecretForm, text: str, at: int, is_whole: bool) -> tuple[int, int] | None:
        """Return how many characters of a form are at ``at``, and where they end; ``None``: as ``match``."""
        count = _common(form.text, text, at)
        at += count
        while count < len(form.text):
            if not is_whole and (at == len(text) or _BEGUN.match(text, at)):
                return None
            token = self._pattern(form.text[count]).match(text, at)
            if token is None:
                break
            count, at = count + 1, token.end()
        return count, at

    def _pattern(self, char: str) -> re.Pattern[str]:
        if char not in self._tokens:
            self._tokens[char] = re.compile(_token(char))
        return self._tokens[char]


class Vault:
    """All secrets of a run: the key, and the logins of every address that is used."""

    def __init__(self, key: str | None = None, logins: Iterable[Login] = ()) -> None:
        """Take those that are known from the start."""
        self._key, self._logins = key, dict.fromkeys(logins)
        self.redactor = Redactor(forms_of(key, self._logins))

    def add(self, login: Login | None) -> None:
        """Take the login of an address that is used for the first time."""
        if login is not None and login not in self._logins:
            self._logins[login] = None
            self.redactor = Redactor(forms_of(self._key, self._logins))


def vault_of(environ: Mapping[str, str], host: str | None) -> Vault:
    """Return a vault with the secrets in the environment and in the address that goes before all others."""
    return Vault(environ.get(KEY_VARIABLE, "").strip(), logins_of(environ, host))


class RedactingStream:
    """Take the secrets out of a text that comes in pieces."""

    def __init__(self, redactor: Redactor) -> None:
        """Begin with nothing held back."""
        self._redactor, self._held, self._count = redactor, "", 0

    def feed(self, text: str) -> str:
        """Take a piece, and return what is known to be safe by now."""
        return self._take(text, is_whole=False) if self._redactor.forms else text

    def finish(self, text: str = "") -> str:
        """Take the last piece, and return all that is left."""
        return self._take(text, is_whole=True)

    def _take(self, text: str, *, is_whole: bool) -> str:
        if self._count > MOST:
            return ""
        text, self._held = self._held + text, ""
        safe: list[str] = []
        done = at = 0
        while (at := self._redactor.next_start(text, at, is_whole=is_whole)) >= 0:
            found = self._redactor.match(text, at, is_whole=is_whole)
            if found is None:
                self._held = text[at:]
                return "".join([*safe, text[done:at]])
            end, marker = found
            if marker:
                self._count += 1
                safe += (text[done:at], marker if self._count <= MOST else LEFT_OUT)
                if self._count > MOST:
                    return "".join(safe)
                done = end
            at = max(end, at + 1)
        return "".join([*safe, text[done:]])


NO_SECRETS = Redactor()


def _forms(secret: str, marker: str) -> list[SecretForm]:
    """Return the forms of one secret: itself, and in base64."""
    return [form for text in (secret, *_base64(secret)) for form in _form(text, marker)]


def _form(text: str, marker: str) -> list[SecretForm]:
    size = len(text.rstrip("="))  # what fills up base64 may be left away
    return [SecretForm(text, marker, min(size, PREFIX))] if size >= WHOLE else []


def _base64(text: str) -> list[str]:
    data = text.encode("utf-8", "surrogateescape")
    return [code(data).decode() for code in (b64encode, urlsafe_b64encode)]


def _token(char: str) -> str:
    """Return a pattern of all that a character may look like; an escape goes before the sign by which it begins."""
    return f"(?:{'|'.join(_ways(char))})"


def _ways(char: str) -> list[str]:
    """Return a pattern for each way of writing a character. It begins with a plain character, which is found fast."""
    number, data = ord(char), char.encode("utf-8", "surrogateescape")
    units = char.encode("utf-16-be", "surrogatepass").hex()
    ways = [
        "".join(rf"\\\\{{0,7}}u(?i:{units[at : at + 4]})" for at in range(0, len(units), 4)),
        "".join(rf"\\\\{{0,7}}x(?i:{byte:02x})" for byte in data),
        "".join(f"%(?i:{byte:02x})" for byte in data),
        f"&#0{{0,3}}{number};",
        f"&#[xX]0{{0,4}}(?i:{number:x});",
    ]
    if char in _NAMED:
        ways.append(f"&{_NAMED[char]};")
    if char in "\\/\"'":
        ways.append(rf"\\\\{{0,7}}{re.escape(char)}")
    return [*ways, re.escape(char)]


def _common(form: str, text: str, at: int) -> int:
    """Return how many characters of a form are in a text as they are; none that may be part of an escape."""
    if not text.startswith(form[:3], at):
        return 0
    low, high = 3, min(len(form), len(text) - at)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text.startswith(form[:middle], at) else (low, middle - 1)
    plain = min((index for index in map(form.find, _ESCAPES) if index >= 0), default=low)
    return min(low, plain, len(form))


def _changed(data: Any, key: Callable[[str], str], text: Callable[[str], str]) -> Any:
    """Return JSON data with its keys and its texts changed, each in order."""
    if isinstance(data, str):
        return text(data)
    if isinstance(data, dict):
        return {key(name): _changed(value, key, text) for name, value in data.items()}
    return [_changed(value, key, text) for value in data] if isinstance(data, (list, tuple)) else data


def _cut_out(texts: list[str], spans: list[tuple[int, int, str]]) -> list[str]:
    """Return each text without what falls in a span of all of them joined; the marker is where the span begins."""
    found, offset = [], 0
    for text in texts:
        pieces, at = [], 0
        for begin, end, marker in spans:
            first, last = begin - offset, end - offset
            if last <= 0 or first >= len(text):
                continue
            pieces.append(text[at : max(first, at)])
            pieces.append(marker if first >= 0 else "")
            at = min(last, len(text))
        found.append("".join([*pieces, text[at:]]))
        offset += len(text)
    return found
