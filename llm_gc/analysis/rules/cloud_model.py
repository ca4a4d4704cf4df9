"""cloud-model: a model that Ollama does not run here, but sends everything said to a service elsewhere.

Bad:   model: gpt-oss:120b-cloud        model: kimi-k2:cloud
Good:  model: gpt-oss:20b
Good:  model: gpt-oss:120b-cloud        with host: https://ollama.com, which says where it goes
"""

import re
from collections.abc import Iterator

from llm_gc.analysis.problem import Problem
from llm_gc.analysis.rule_context import RuleContext
from llm_gc.errors import Severity
from llm_gc.values.safe_text import parted

SEVERITY: Severity = "warning"


def check(subject: RuleContext) -> Iterator[Problem]:
    """Report every model whose tag says that it runs elsewhere."""
    for name, role in subject.pipeline.roles.items():
        tag = (role.model or "").rpartition("/")[2].partition(":")[2]
        if role.human or role.backend in ("openai", "embedded") or not (tag == "cloud" or tag.endswith("-cloud")):
            continue
        host = re.split("[:/?#]", parted(role.host or "")[2], maxsplit=1)[0]
        if host.lower().endswith("ollama.com"):
            continue
        message = f"{role.model!r} runs in the cloud: everything that {name!r} is sent leaves this machine"
        yield Problem(("roles", name, "model"), message, "Name a local model.")
