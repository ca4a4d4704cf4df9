"""What an Ollama server is told about thinking: it depends on the model, on its parser and on the server's version.

A model of gpt-oss knows levels alone and never stops thinking; told not to, it answers a structured ask with nothing.
Servers before 0.31 apply a ``format`` only once a model with a parser of its own has thought, so for one that is told
not to think they drop it. And some take levels for gpt-oss alone.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

LEAST = "low"
"""The level at which a model thinks that cannot be told not to."""

_LEVELED = ("gptoss", "gpt-oss")
_FIXED, _FIXED_FOR_GEMMA = (0, 31), (0, 21, 1)
_PARSER = re.compile(r'^PARSER\s+"?([\w.-]+)', re.MULTILINE)


class Ability(NamedTuple):
    """What matters of a model for thinking; ``capabilities`` are none where the server does not tell."""

    capabilities: tuple[str, ...] | None = None
    is_leveled: bool = False
    parser: str = ""
    refuses_levels: bool = False

    def drops_format(self, version: str) -> bool:
        """Check whether a server of this version is known to drop a format where the model is told not to think."""
        if not self.parser or self.is_leveled or "thinking" not in (self.capabilities or ()):
            return False
        return _number(version) < (_FIXED_FOR_GEMMA if self.parser == "gemma4" else _FIXED)


def ability_of(shown: dict[str, Any]) -> Ability:
    """Read what /api/show tells of a model."""
    able, details, info = shown.get("capabilities"), shown.get("details"), shown.get("model_info")
    family = details.get("family") if isinstance(details, dict) else None
    architecture = info.get("general.architecture") if isinstance(info, dict) else None
    written = _PARSER.search(str(shown.get("modelfile") or ""))
    parser = str(shown.get("parser") or (written[1] if written else ""))
    capabilities = tuple(str(word) for word in able) if isinstance(able, list) else None
    return Ability(capabilities, family in _LEVELED or architecture in _LEVELED or parser == "harmony", parser)


def thinking(wanted: bool | str | None, ability: Ability, version: str = "", *, formed: bool = False) -> Any:
    """Return what to say about thinking, ``None`` for nothing; ``formed`` tells that a chat is sent with a format.

    A model that cannot think is told nothing, one that can and need not is told not to.
    """
    if ability.is_leveled:
        return wanted or LEAST
    if ability.capabilities is None:  # a server that does not tell: nothing of our own is sent
        return wanted
    if "thinking" not in ability.capabilities:
        return None
    if not wanted and formed and ability.drops_format(version):
        return True
    if isinstance(wanted, str) and ability.refuses_levels:
        return True
    return False if wanted is None else wanted


def _number(version: str) -> tuple[int, ...]:
    """Return a version as numbers; one that cannot be read is the oldest."""
    found = re.match(r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?", version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()
