"""Whatever can go wrong with a server, in words for people: what it is, where, and what to do."""

from __future__ import annotations

import os
import re
import socket
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from llm_gc.backends.http._httpx import httpx
from llm_gc.backends.http.hosts import superfluous
from llm_gc.backends.http.kinds import OLLAMA, ServerKind
from llm_gc.backends.http.redact import NO_SECRETS, Redactor
from llm_gc.backends.http.stream import BadLine, Said, quote, read_body
from llm_gc.protocol import Failure
from llm_gc.values.safe_text import mask

_DIED = ("unexpectedly stopped", "unexpected EOF")
_NO_MEMORY = ("out of memory", "cudamalloc failed", "failed to allocate", "requires more system memory")
_NOT_LOADED = ("model failed to load",)
_GONE = ("disconnected", "closed connection")
_LOADING = re.compile(r"\bloading\b|\bnot (?:yet )?(?:loaded|ready)\b", re.IGNORECASE)

NO_TLS = "it speaks no TLS; try http://"
_PLAIN = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
"""What OpenSSL says where the answer to a handshake is no TLS."""

_FORBIDDEN = (
    "answered 403 without a word: it may block the Host or Origin header of the request. Call it by a name "
    "of its own machine (127.0.0.1, localhost), or set OLLAMA_HOST where it runs"
)


class Failed(Exception):
    """A failure on its way out to whoever makes a reply, or an error, of it."""

    def __init__(self, failure: Failure) -> None:
        """Keep the failure."""
        self.failure = failure
        super().__init__(failure.message)


class RequestPlace(NamedTuple):
    """Where something went wrong: the server, the model if it was about one, and what kind of server it is.

    What has no ``url`` is on this machine, and is known by its model alone. ``redactor`` takes the server's secrets out
    of its own words.
    """

    url: str
    model: str = ""
    kind: ServerKind = OLLAMA
    redactor: Redactor = NO_SECRETS

    @property
    def server(self) -> str:
        """The server's address, without a password in it."""
        return mask(self.url) if self.url else self.kind.name

    def __str__(self) -> str:
        """Return model and server."""
        if not self.url and self.model:
            return self.model
        return f"{self.model} at {self.server}" if self.model else self.server


def of_status(place: RequestPlace, status: int, body: bytes, location: str = "", after: float | None = None) -> Failure:
    """Return what an answer means whose status is not 200; ``after`` is when the server wants to be asked again."""
    if 300 <= status < 400:
        target = f" to {quote(mask(place.redactor.hide(location)), 120)}" if location else ""
        return _refused(f"{place.server} redirects{target} (HTTP {status}): give the address of the server itself.")
    said = read_body(body).without(place.redactor)
    if status == 403 and not said.message:
        return _refused(f"{place.server} {_FORBIDDEN}.")
    if status == 404 and place.model and _is_missing(said):
        return _refused(f"{place.server} does not have {place.model}: {place.kind.get.format(model=place.model)}.")
    if status in (404, 405):
        return _refused(f"{place.server} does not know the request (HTTP {status}: {said}): is this {place.kind.name}?")
    failure = of_error(place, said, status)
    if after is None or not failure.retry:
        return failure
    return failure._replace(message=f"{failure.message} It asks to wait {after:g} s.", after=after)


def is_loading(status: int, body: bytes) -> bool:
    """Check whether an answer says that the server is loading its model, and will answer when it has."""
    return status == 503 and _LOADING.search(read_body(body).message) is not None


def seconds_after(retry_after: str, date: str) -> float | None:
    """Return the seconds after which a server wants to be asked again, by its headers; None where it does not say.

    ``date`` is the server's own time, with which a date is compared.
    """
    text = retry_after.strip()
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{0,9})?", text):
        return float(text)
    moment = moment_of(text)
    return None if moment is None else max(0.0, (moment - (moment_of(date) or datetime.now(UTC))).total_seconds())


def moment_of(date: str) -> datetime | None:
    """Return the moment that a header names; None where it names none."""
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def is_unknown_request(status: int, body: bytes) -> bool:
    """Check whether an answer says that the server does not know the request, and not that it lacks a model."""
    return status in (404, 405, 501) and not _is_missing(read_body(body))


def of_error(place: RequestPlace, said: Said, status: int = 200) -> Failure:
    """Return what a server's own error means; ``status`` is 200 where it came in the middle of a reply."""
    said = said.without(place.redactor)
    if said.too_long:
        return overflow(place, said)
    if any(words in said.message.lower() for words in _NO_MEMORY):
        return Failure("server", f"{place} ran out of memory: {said}. Take a smaller model or num_ctx, or free memory.")
    if any(words in said.message for words in _NOT_LOADED):
        words = "Write a smaller num_ctx, take a smaller model, or free memory"
        return Failure("server", f"{place} could not be loaded: {said}. {words}.")
    if status >= 500 or status == 200:
        if said.message.startswith(('option "', "invalid format")):
            return _refused(f"{place} refused the request (HTTP {status}): {said}.")
        if any(words in said.message for words in _DIED):
            return Failure("server", f"The engine died under {place}: {said}. See the server's log.", retry=True)
    return _of_code(place, said, status)


def _of_code(place: RequestPlace, said: Said, status: int) -> Failure:
    """Return what an error means by its status alone, whatever the server says of it."""
    if status == 503 and _LOADING.search(said.message):
        return Failure("server", f"{place} is still loading: {said}.", retry=True, is_loading=True)
    if status in place.kind.busy and said.type != "insufficient_quota":
        return Failure("server", f"{place} is busy or away (HTTP {status}): {said}. Try again later.", retry=True)
    if status >= 500:
        return Failure("server", f"{place} failed (HTTP {status}): {said}. See the server's log.")
    if status == 200:
        return Failure("server", f"{place} gave up in the middle of its reply: {said}. See the server's log.")
    return _refused(f"{place} refused the request (HTTP {status}): {str(said) or 'no reason given'}.")


def overflow(place: RequestPlace, said: Said) -> Failure:
    """Report that a prompt does not fit."""
    prompt = f" of {said.prompt_tokens} tokens" if said.prompt_tokens is not None else ""
    window = f" of {said.num_ctx}" if said.num_ctx is not None else ""
    words = "" if prompt and window else f" ({said})"
    text = f"The prompt{prompt} does not fit the context window{window} of {place}{words}."
    return Failure("overflow", f"{text} Shorten it, or give the model a larger num_ctx.")


def of_transport(place: RequestPlace, error: httpx.HTTPError, begun: bool) -> Failure:
    """Return what a connection's end means; ``begun`` is whether something of the reply had come."""
    reason = why(error)
    if isinstance(error, httpx.TimeoutException):
        return Failure(
            "unreachable", f"{place.server} did not take the connection in time. {place.kind.start}", retry=True
        )
    if isinstance(error, (httpx.ConnectError, httpx.ProxyError)):
        return Failure("unreachable", f"Nobody answers at {place.server}: {reason}. {place.kind.start}", retry=True)
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
        return _refused(f"{place.server} cannot be asked: {reason}.")
    if isinstance(error, httpx.RemoteProtocolError) and not any(words in str(error) for words in _GONE):
        return Failure("broken", f"What {place.server} sends is not HTTP: {reason}. Is this {place.kind.name}?")
    if isinstance(error, httpx.DecodingError):
        return Failure("broken", f"The reply of {place} is compressed in a way that cannot be read: {reason}.")
    when = "in the middle of the reply" if begun else "before the reply began"
    return Failure("broken", f"The connection to {place} broke {when}: {reason}.", retry=True)


def of_bad(place: RequestPlace, bad: BadLine, content_type: str = "") -> Failure:
    """Report that what came is no reply."""
    if bad.kind == "too_large":
        return Failure("too_large", f"The reply of {place} is too large, and was given up: {bad.reason}.")
    kind = content_type.partition(";")[0].strip().lower()
    foreign = "" if not kind or "json" in kind else f" (sent as {quote(kind, 60)}; is this {place.kind.name}?)"
    what = f": {quote(place.redactor.hide(bad.text), 80)}" if bad.text else ""
    return Failure("broken", f"The reply of {place} is broken: {bad.reason}{what}{foreign}.")


def why(error: BaseException) -> str:
    """Return the reason at the root of ``error``, in few words."""
    reason = quote(str(error)).rstrip(".") or type(error).__name__
    cause: BaseException | None = error
    for _ in range(20):
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if isinstance(cause, socket.gaierror):
            return "its name is not known"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({quote(cause.verify_message)})"
        if isinstance(cause, ssl.SSLError):  # whose errno is none of the system's
            return NO_TLS if cause.reason in _PLAIN else f"TLS failed ({quote(cause.reason or str(cause)).lower()})"
        if isinstance(cause, OSError) and cause.errno:  # whose own words, in asyncio, are a pair of numbers
            reason = os.strerror(cause.errno).lower()
        if cause is None:
            break
        cause = cause.__cause__ or cause.__context__
    return reason


def late(url: str, seconds: float) -> str:
    """Return the reason for which a server is absent that took a connection, or not even that, and said nothing."""
    tls = "; if it speaks no TLS, write http://" if url.startswith("https:") else ""
    return f"no answer within {seconds:g}s{tls}"


def something_else(url: str, kind: ServerKind, status: int, content_type: str) -> str:
    """Return the reason for which a server is absent where something answers that is not of its kind."""
    end = superfluous(url, kind.superfluous)
    advice = f"; leave {end} away from the address: {mask(url[: -len(end)])}" if end else ""
    what = f", {quote(content_type, 60)}" if content_type else ""
    return f"what answers is something else (HTTP {status}{what}){advice}"


def _is_missing(said: Said) -> bool:
    """Return whether a 404 is about the model, not about the request."""
    return "model" in said.message and any(words in said.message for words in ("not found", "does not exist"))


def _refused(message: str) -> Failure:
    return Failure("refused", message)
