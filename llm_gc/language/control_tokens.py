"""Control tokens of chat templates in a text: where they are, and how they are broken so that no tokenizer reads them.

A chat template marks with them where a message begins and ends and who says it, and a model server does not tell those
of the template from those in a message: a reply that holds ``<|im_end|><|im_start|>system`` gives the next model a
system prompt. A token is read only where it is letter for letter, so a space after its first character makes plain
text of it, and a reader still sees what it was.

A token is recognised by its form (``<|…|>``, also with DeepSeek's full-width bars) or by its name, where models give
it a form that other texts have too (``[INST]``, ``<s>``). No token holds a space. So where every place at which one
begins is broken, none is left, breaking once more changes nothing, and texts that are joined by a blank line make none.
"""

from __future__ import annotations

import re
from collections.abc import Container
from itertools import pairwise

_ANGLED = (
    # begin and end of texts, in Llama, Mistral, Gemma, Command R, GLM, InternLM, MiniMax, Seed, Code Llama
    "s|unk|pad|bos|eos|eot|eod|eop|sop|eoh|eoa|mask|cls|sep|BOS_TOKEN|EOS_TOKEN|PAD_TOKEN|UNK_TOKEN|CLS_TOKEN"
    "|SEP_TOKEN|MASK_TOKEN|EOP_TOKEN|begin(?:ning)?_of_[a-z_]{1,24}|start_of_[a-z_]{1,24}|end_of_[a-z_]{1,24}"
    "|PRE|SUF|MID|EOT|seed:[a-z_]{1,40}"
    # thinking and tools, in Qwen, DeepSeek, Hermes, Granite
    "|think|thinking|thought|tools?|tool_(?:calls?|response|responses|list)|function_calls?"
    # filling in, and the files of a repository, in StarCoder, SmolLM, Granite, Seed
    "|fim[-_][a-z_]{1,16}|(?:repo_?name|file_?name|file_sep|gh_stars|empty_output|issue_[a-z]{1,16}"
    "|jupyter_[a-z_]{1,24}|commit_[a-z]{1,16})"
    # numbered ones
    "|(?:unused|unused_|extra_id_|reserved_|SPECIAL_|TOKENS_UNUSED_)[0-9]{1,4}"
    # where an image or a sound goes
    "|(?:image|audio|video)_soft_token|__media__"
)
_SQUARE = (
    "INST|SYS|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|AVAILABLE_TOOLS|MODEL_SETTINGS|ARGS|CALL_ID|THINK"
    "|IMG|IMG_BREAK|IMG_END|AUDIO|BEGIN_AUDIO|TRANSCRIBE|PREFIX|MIDDLE|SUFFIX|control_[0-9]{1,4}|img-[0-9]{1,4}"
    "|BOS|EOS|PAD|UNK|CLS|SEP|MASK|gMASK|sMASK|@BOS@|multimodal"
)
_BARRED = r"system|user|assistant|tool|endofturn"

# What follows the first character of a token, by that character. Each is bounded, so that a search is linear.
_REST = {
    "<": (
        r"[|｜][^\s<>|｜]{1,64}[|｜]>"  # <|im_start|>, <｜User｜>
        r'|\|[A-Za-z_"/][\w"]{0,40}>'  # <|tool_call>, in Gemma
        r'|[A-Za-z_"/][\w"]{0,40}\|>'  # <channel|>
        rf"|/?(?:{_ANGLED})>"
        r"|</?SYS>>"
    ),
    r"\[": rf"/?(?:{_SQUARE})\]|\|(?:{_BARRED})\|\]|e~\[",
    r"\]": r"~!?b[\[\]]",
    "｜": "DSML｜",
}
_BEGIN = re.compile("|".join(f"{first}(?={rest})" for first, rest in _REST.items()))
_TOKEN = re.compile("|".join(f"{first}(?:{rest})" for first, rest in _REST.items()))
_FIRSTS = "<[]｜"

MASK = "\0"
"""What stands for each character of a token in a masked text; no text of an author holds it."""


def may_hold_tokens(text: str) -> bool:
    """Check quickly whether there is anything at which a control token could begin."""
    return any(first in text for first in _FIRSTS)


def starts(text: str) -> list[int]:
    """Return where control tokens begin, in ascending order; one may begin inside another."""
    return [found.start() for found in _BEGIN.finditer(text)] if may_hold_tokens(text) else []


def tokens_in(text: str) -> list[str]:
    """Return the control tokens in a text, each once, in the order of their first occurrence."""
    return list(dict.fromkeys(_TOKEN.findall(text))) if may_hold_tokens(text) else []


def broken(text: str, kept: Container[int] = ()) -> str:
    """Return the text with each control token broken, but those whose number is in ``kept``.

    Tokens are numbered from 0, in the order of ``starts``: whatever is put between two lines changes no number.
    """
    at = [start for number, start in enumerate(starts(text)) if number not in kept]
    if not at:
        return text
    ends = [0, *(position + 1 for position in at), len(text)]
    return " ".join(text[one:other] for one, other in pairwise(ends))


def masked_tokens(text: str) -> str:
    """Return the text, as long as it is, with zero characters in the place of each control token."""
    return _TOKEN.sub(lambda found: MASK * len(found[0]), text) if may_hold_tokens(text) else text
