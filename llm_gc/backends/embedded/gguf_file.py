"""What a GGUF file says of the model in it, read from its header alone; a file that cannot be loaded is told here.

The header is read by ourselves, so that a model is known, and a broken file refused, before an engine touches it: an
engine may end its process over one. It holds keys with values, then the names, shapes and places of the tensors; the
tensors follow. Nothing in it is trusted: counts and lengths may be whatever somebody wrote.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_gc.files import opening

MAGIC, VERSIONS = b"GGUF", (2, 3)
MAX_KEYS, MAX_TENSORS = 65_536, 1_000_000
"""More of them than any model has."""

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""The numbers' kinds, by GGUF's own numbers; 8 is a text, 9 a list."""
_TEXT, _LIST = 8, 9

_SIZES = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84),
    11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 30: (1, 2),
}  # fmt: skip
"""How many weights a block of each kind of tensor has, and in how many bytes; of others only the begin is checked."""

_PART = re.compile(r"-00001-of-(\d{5})\.gguf$")
"""How the first of several files ends that hold one model together."""

CACHED = 2
"""Bytes of a number in the cache of the context."""


class BadModelFile(Exception):
    """A file that cannot be loaded; the message says why, to stand behind the file's name."""


@dataclass(frozen=True)
class GgufFile:
    """A model's file: its ``parts``, their ``size`` in bytes together, and what the header says.

    ``trained`` is the window in tokens that the model was trained for; ``token_size`` are the bytes that one token
    takes in the cache of the context, 0 where that is not known; ``template`` makes one text of a chat's messages.
    """

    parts: tuple[Path, ...]
    size: int
    architecture: str
    name: str
    trained: int | None
    token_size: int
    template: str | None

    @property
    def path(self) -> Path:
        """The file that is given to an engine, which finds the other parts beside it."""
        return self.parts[0]

    @property
    def can_think(self) -> bool:
        """Whether the template knows of thinking before an answer."""
        return self.template is not None and any(word in self.template for word in ("enable_thinking", "<think>"))


def read(path: Path) -> GgufFile:
    """Read the header of a model's file.

    Raises:
        BadModelFile: where it is no GGUF file, or a broken one.

    """
    try:
        values = _header(path)
        parts = _parts(path)
        for part in parts[1:]:
            _header(part)
        size = sum(part.stat().st_size for part in parts)
    except OSError as error:
        raise BadModelFile(f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # it is a folder, a pipe, …
        raise BadModelFile(f"is {error}, and a GGUF file was expected") from error
    architecture = values.get("general.architecture")
    if not isinstance(architecture, str):
        raise BadModelFile("is a GGUF file without a model: it names no architecture")
    own = {key.removeprefix(f"{architecture}."): value for key, value in values.items()}
    trained, template, name = own.get("context_length"), values.get("tokenizer.chat_template"), own.get("general.name")
    return GgufFile(
        parts,
        size,
        architecture,
        name if isinstance(name, str) else "",
        trained if isinstance(trained, int) and trained > 0 else None,
        _token_size(own),
        template if isinstance(template, str) and template.strip() else None,
    )


def _parts(path: Path) -> tuple[Path, ...]:
    """Return the files of a model, which may be split."""
    found = _PART.search(path.name)
    if found is None:
        return (path,)
    stem, count = path.name[: found.start()], int(found[1])
    parts = [path.with_name(f"{stem}-{number:05}-of-{found[1]}.gguf") for number in range(1, count + 1)]
    missing = [part.name for part in parts if not opening.is_file(part)]
    if missing:
        raise BadModelFile(f"is the first of {count} files, and {missing[0]} is not beside it")
    return tuple(parts)


def _header(path: Path) -> dict[str, Any]:
    """Return the values in a file's header, its lists as empty ones, once the whole file is seen to be there."""
    with os.fdopen(opening.open_file(path), "rb") as opened:
        if opened.read(4) != MAGIC:
            raise BadModelFile("is no GGUF file")
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                return _Reader(content).header()
            except (struct.error, IndexError) as error:
                raise BadModelFile("is broken or incomplete: it ends within its header") from error


class _Reader:
    """Reads the header of one file."""

    def __init__(self, content: mmap.mmap) -> None:
        """Begin behind the magic word."""
        self._content, self._at = content, len(MAGIC)

    def header(self) -> dict[str, Any]:
        """Read all of it."""
        version, tensors, keys = self._take("I"), self._take("Q"), self._take("Q")
        if version not in VERSIONS:
            raise BadModelFile(f"is GGUF of version {version}, and an engine reads versions 2 and 3")
        if keys > MAX_KEYS or tensors > MAX_TENSORS:
            raise BadModelFile("is broken: its header counts more than there can be")
        values = {self._text(): self._value(self._take("I")) for _ in range(keys)}
        ends = [self._tensor() for _ in range(tensors)]
        alignment = values.get("general.alignment", 32)
        start = -(-self._at // alignment) * alignment if isinstance(alignment, int) and alignment > 0 else self._at
        whole = start + max(ends, default=0)
        if ends and whole > len(self._content):
            raise BadModelFile(f"is incomplete: it has {len(self._content):,} bytes of at least {whole:,}")
        return values

    def _take(self, kind: str) -> Any:
        (value,) = struct.unpack_from(f"<{kind}", self._content, self._at)
        self._at += struct.calcsize(f"<{kind}")
        return value

    def _skip(self, count: int) -> None:
        if count > len(self._content) - self._at:
            raise IndexError
        self._at += count

    def _text(self) -> str:
        size, start = self._take("Q"), self._at
        self._skip(size)
        return self._content[start : self._at].decode("utf-8", "replace")

    def _value(self, kind: int) -> Any:
        if kind == _TEXT:
            return self._text()
        if kind != _LIST:
            return self._take(self._number(kind))
        inner, count = self._take("I"), self._take("Q")
        if inner == _TEXT:
            if count > len(self._content):
                raise IndexError
            for _ in range(count):  # the words of a tokenizer: there are many, and nobody reads them here
                self._skip(self._take("Q"))
            return []
        number = self._number(inner)
        if count <= MAX_KEYS:
            return [self._take(number) for _ in range(count)]
        self._skip(count * struct.calcsize(f"<{number}"))
        return []

    def _number(self, kind: int) -> str:
        if kind not in _NUMBERS:
            raise BadModelFile("is broken: its header has a value of no known kind")
        return _NUMBERS[kind]

    def _tensor(self) -> int:
        """Return where a tensor ends, counted from the place where the first begins."""
        self._text()
        count = 1
        for _ in range(min(self._take("I"), 8)):
            count *= self._take("Q")
        kind, start = self._take("I"), int(self._take("Q"))
        block, size = _SIZES.get(kind, (max(count, 1), 1))
        return start + count // block * size


def _token_size(own: Mapping[str, Any]) -> int:
    """Return the bytes that a token takes in the cache: a key and a value for each head of each layer.

    Architectures that keep less than that say so in other keys; for them it is not known.
    """
    layers, width, heads = own.get("block_count"), own.get("embedding_length"), own.get("attention.head_count")
    if not isinstance(layers, int) or own.get("attention.kv_lora_rank") or own.get("ssm.state_size"):
        return 0
    most = max(_counts(heads), default=0)
    head = width // most if isinstance(width, int) and most else 0
    both = sum(
        size if isinstance(size := own.get(f"attention.{what}_length"), int) else head for what in ("key", "value")
    )
    kept = list(_counts(own.get("attention.head_count_kv", heads)))
    per_layer = sum(kept) if len(kept) > 1 else layers * sum(kept)
    return per_layer * both * CACHED


def _counts(value: Any) -> Iterator[int]:
    yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, int) and one >= 0)
