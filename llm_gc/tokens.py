"""How many tokens characters make, where no model has counted them."""

from __future__ import annotations

CHARACTERS_PER_TOKEN = 4
"""So many they have in English prose, with most tokenizers; fewer in other languages and in code."""


def as_tokens(characters: int) -> int:
    """Estimate the tokens of so many characters; of any at all there is one."""
    return -(-characters // CHARACTERS_PER_TOKEN)
