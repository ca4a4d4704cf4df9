"""names: a model's name in its parts, `[host/][namespace/]model[:tag]`."""

import re
from dataclasses import dataclass
from functools import lru_cache

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")

DEFAULT_HOST, DEFAULT_NAMESPACE, DEFAULT_TAG = "registry.ollama.ai", "library", "latest"


@dataclass(frozen=True)
class Name:
    """A name with nothing left out."""

    host: str
    namespace: str
    model: str
    tag: str

    @property
    def full(self) -> str:
        """The name with every default spelled out."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    @property
    def short(self) -> str:
        """The name as lists show it: no defaults, but always a tag."""
        name = f"{self.model}:{self.tag}"
        if self.namespace != DEFAULT_NAMESPACE or self.host != DEFAULT_HOST:
            name = f"{self.namespace}/{name}"
        return name if self.host == DEFAULT_HOST else f"{self.host}/{name}"

    @property
    def key(self) -> str:
        """What names of the same model have in common: case does not matter."""
        return self.full.casefold()


@lru_cache(maxsize=1024)
def parse(text: str) -> Name | None:
    """The parts of a name, or None if it is malformed."""
    *places, last = text.strip().split("/")
    if len(places) > 2:
        return None
    host, namespace = [DEFAULT_HOST, DEFAULT_NAMESPACE][: 2 - len(places)] + places
    model, colon, tag = last.partition(":")
    tag = tag if colon else DEFAULT_TAG
    fits = _HOST.fullmatch(host) and _NAMESPACE.fullmatch(namespace)
    fits = fits and _PART.fullmatch(model) and _PART.fullmatch(tag)
    return Name(host, namespace, model, tag) if fits else None
