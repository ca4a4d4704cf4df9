"""bad-option: an option that has a key of its own, that nobody knows who plays the role, or whose value is refused.

Bad:   options: {temperature: 0.2}      options: {stop: DONE}
Good:  temperature: 0.2                 options: {stop: [DONE]}
"""

from collections.abc import Iterator
from typing import Any

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.analysis.wording import shown
from llm_gc.protocol import Path
from llm_gc.values.did_you_mean import near

OWN = {"temperature": "temperature", "num_ctx": "num_ctx", "num_predict": "max_tokens", "seed": "seed"}
"""The options that have a key of their own, and that key."""

KNOWN = {
    **dict.fromkeys(("top_k", "repeat_last_n", "num_keep", "num_batch", "num_gpu", "main_gpu"), "a whole number"),
    **dict.fromkeys(("num_thread", "draft_num_predict"), "a whole number"),
    **dict.fromkeys(("top_p", "min_p", "typical_p", "repeat_penalty"), "a number"),
    **dict.fromkeys(("presence_penalty", "frequency_penalty"), "a number"),
    "use_mmap": "true or false",
    "stop": "a list of texts",
}
"""What Ollama knows, and what it takes."""

OPENAI = ("top_p", "presence_penalty", "frequency_penalty", "stop")
"""Those for which OpenAI's API has a word; what else a role says is not sent to a server of that kind."""

EMBEDDED = ("top_p", "top_k", "min_p", "typical_p", "repeat_penalty", "repeat_last_n", "presence_penalty",
            "frequency_penalty", "num_keep", "stop", "num_thread")  # fmt: skip
"""Those of Ollama's that the embedded engine has, too."""

ITS_OWN = {"threads": "a whole number", "cache_prompt": "true or false"}
"""Those that the embedded engine alone has, and what it takes."""

LEAST = {"repeat_last_n": 0, "num_keep": -1, "threads": 1}


def check(subject: RuleContext) -> Iterator[Problem]:
    for name, role in subject.pipeline.roles.items():
        for option, value in role.options.items():
            path = ("roles", name, "options", option)
            if option in OWN:
                hint = f"Write {OWN[option]}: {value}." if isinstance(value, (int, float)) else f"Write {OWN[option]}."
                yield Problem(path, f"{option!r} does not belong in 'options'; a role has a key for it", hint, key=True)
            elif role.backend == "embedded":
                yield from _embedded(path, option, value)
            elif option in ITS_OWN:
                message = f"the embedded engine alone has the option {option!r}: any other passes it over"
                yield Problem(path, message, "Write backend: embedded.", key=True, severity="warning")
            elif option not in KNOWN:
                message = f"Ollama knows no option {option!r}, and would pass it over"
                yield Problem(path, message, near(option, [*KNOWN, *OWN]), key=True, severity="warning")
            elif role.backend == "openai" and option not in OPENAI:
                message = f"OpenAI's API has no word for {option!r}: it is not sent to this role's server"
                yield Problem(path, message, "Set it where that server is started.", key=True, severity="warning")
            else:
                yield from _value(path, option, value, KNOWN[option])


def _embedded(path: Path, option: str, value: Any) -> Iterator[Problem]:
    """Report what is wrong with an option of a role that the embedded engine plays."""
    if option in EMBEDDED or option in ITS_OWN:
        yield from _value(path, option, value, {**KNOWN, **ITS_OWN}[option])
        return
    message = f"the embedded engine has no option {option!r}, and passes it over"
    yield Problem(path, message, near(option, [*EMBEDDED, *ITS_OWN, *OWN]), key=True, severity="warning")


def _value(path: Path, option: str, value: Any, wanted: str) -> Iterator[Problem]:
    """Report an option's value that is not what is wanted."""
    if not _fits(value, wanted):
        yield Problem(path, f"{shown(value)} was given in {option!r}, and {wanted} was expected")
    elif option in LEAST and value < LEAST[option]:
        yield Problem(path, f"{value} was given in {option!r}, and at least {LEAST[option]} was expected")
    elif option == "stop" and "" in value:
        yield Problem(path, "an empty text in 'stop' would end every reply before its first word")


def _fits(value: Any, wanted: str) -> bool:
    match wanted:
        case "a whole number":
            return isinstance(value, int) and not isinstance(value, bool)
        case "a number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "true or false":
            return isinstance(value, bool)
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
