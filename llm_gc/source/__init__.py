"""YAML text to data, with the line and column of every path in it."""

from llm_gc.source.loading import MAX_BYTES, load, read
from llm_gc.source.places import CutText, Place, Source, cut_texts, dotted, position, spot_in, word_end

__all__ = [
    "MAX_BYTES",
    "CutText",
    "Place",
    "Source",
    "cut_texts",
    "dotted",
    "load",
    "position",
    "read",
    "spot_in",
    "word_end",
]
