r"""bad-stop: a stop that can never end anything, or ends everything at once.

Bad:   stop: [{role: anna}]       stop: [{token: "(", match: regex}]       stop: [{token: "x*", match: regex}]
Good:  stop: [{token: DONE, role: anna}]       stop: [{token: "\\bDONE\\b", match: regex}]
"""

from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.language.fields import Stop
from llm_gc.values import regex


def check(subject: RuleContext) -> Iterator[Problem]:
    for path, stop in subject.models:
        if not isinstance(stop, Stop):
            continue
        if stop.token is None and stop.when is None:
            yield Problem(path, "this stop has neither a 'token' nor a 'when', and never ends anything")
        elif stop.token is not None and (message := _bad_token(stop.token, stop.match)):
            yield Problem((*path, "token"), message)


def _bad_token(token: str, match: str) -> str:
    if match == "regex":
        if problem := regex.problem(token):
            return problem
        found = regex.compile(token).search("")
        return f"the regular expression {token!r} finds nothing at all too, and so ends at every reply" if found else ""
    if not token.strip():
        return "a token of white space is in every reply"
    if match == "line" and len(token.splitlines()) > 1:
        return "a token of several lines never is a line; write match: contains"
    return ""
