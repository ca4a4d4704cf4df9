"""What rules know of a pipeline's files that the pipeline itself does not say."""

from collections.abc import Sequence
from typing import NamedTuple

from llm_gc.source import CutText


class FileFacts(NamedTuple):
    """Facts about the files of a pipeline.

    ``spare_prompts`` are the names of prompt files that belong to it and that nobody names; ``cut_texts`` the plain
    texts that a comment ends.
    """

    spare_prompts: Sequence[str] = ()
    cut_texts: Sequence[CutText] = ()


NO_FACTS = FileFacts()
"""Nothing is known of the files."""
