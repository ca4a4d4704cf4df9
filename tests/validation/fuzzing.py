"""``python -m tests.validation.fuzzing COUNT SEED``: checks so many mutations of the pipelines that ship.

It prints a JSON object: how many were checked, how many had findings, and the peak of memory in megabytes. Whatever is
raised ends it with a traceback, below which is the mutation; so does a mutation that takes longer than a minute.
"""

from __future__ import annotations

import copy
import faulthandler
import json
import random
import re
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from llm_gc.analysis.formats import FORMATS
from llm_gc.analysis.formats.text import excerpts
from llm_gc.files.locations import lines_of
from llm_gc.source import load
from llm_gc.validation import validate
from tests.commands import ROOT

LONGEST = 60
"""Seconds that no mutation takes: a hang, and not a slow machine."""

WORDS = [
    "{{", "}}", "{%", "%}", "{#", ": ", "- ", "[", "]", "{", "}", "'", '"', "|", ">", "&a", "*a", "!!int", "<<: *a",
    "---", "...", "\t", "\n", "#", "%", "null", "~", "0x1", ".inf", "1e999", "-1", "2.5", "true", "no", "9" * 400,
    "extends: ", "scene: ", "m1.yaml", "../", ".j2", ".json", "for x in y", "include 'a.j2'", "is defined", "[0]",
    "* 'a'", "range(10**9)", "last.data.x", "said.x.y", "$ref", "\x00", "\u2028", "\ufeff", "𝔘", "é", "(" * 50, "",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, -1, 0, 3, 2.5, 10**30, "", "x", "{{ x", "{{ x }}", "a.j2", "m1.yaml", "x.json", [], {}, [[]], "((",
    {"say": "x"}, {"type": "object"}, {"$ref": "#"}, {"anna": ["ben"]}, "1s", ["x"] * 50,
]  # fmt: skip

Mutate = Callable[[random.Random, bytes, list[bytes]], bytes]


def by_bytes(chance: random.Random, content: bytes, _others: list[bytes]) -> bytes:
    """Change, remove, add or repeat some bytes."""
    data = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 5, 20])):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.choice([1, 1, 3, 40])]
            case 2:
                data[at:at] = bytes([chance.randrange(256)])
            case _:
                data[at:at] = data[at : at + chance.choice([1, 10, 200])]
    return bytes(data)


def by_tokens(chance: random.Random, content: bytes, others: list[bytes]) -> bytes:
    """Change, remove, add or repeat some words or marks; some are those of another pipeline."""
    tokens = _tokens(content)
    for _ in range(chance.choice([1, 1, 2, 4, 10])):
        at = chance.randrange(len(tokens))
        word = chance.choice(WORDS) if chance.random() < 0.7 else chance.choice(_tokens(chance.choice(others)))
        match chance.randrange(5):
            case 0:
                tokens[at] = word
            case 1 if len(tokens) > 1:
                del tokens[at]
            case 2:
                tokens[at:at] = [word]
            case 3:
                tokens[at:at] = tokens[at : at + chance.choice([1, 5, 60])]
            case _:
                other = chance.randrange(len(tokens))
                tokens[at], tokens[other] = tokens[other], tokens[at]
    return "".join(tokens).encode("utf-8", "replace")


def _tokens(content: bytes) -> list[str]:
    return re.findall(r"\w+|\s+|[^\w\s]", content.decode()) or [" "]


def by_structure(chance: random.Random, content: bytes, others: list[bytes]) -> bytes:
    """Change, remove, add or repeat some parts of the data; some are those of another pipeline."""
    data, other = (load(one.decode(), "f").data for one in (content, chance.choice(others)))
    parts = [part for part in _parts(other) if part]
    for _ in range(chance.choice([1, 1, 2, 4])):
        holders = [part for part in _parts(data) if isinstance(part, (dict, list)) and part]
        if not holders:
            break
        holder = chance.choice(holders)
        key: Any = chance.choice(list(holder)) if isinstance(holder, dict) else chance.randrange(len(holder))
        value = copy.deepcopy(chance.choice(VALUES) if chance.random() < 0.5 else chance.choice(parts))
        match chance.randrange(4):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[chance.choice(["say", "repeat", "when", "format", "prompt", "x", "sees"])] = value
            case 2 if isinstance(holder, list):
                holder *= chance.choice([2, 2, 30])
            case _:
                holder[key] = value
    if chance.random() < 0.5:
        return json.dumps(data, indent=chance.choice([None, 2])).encode()
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode("utf-8", "replace")


def _parts(data: Any) -> list[Any]:
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return [data, *(part for item in inner for part in _parts(item))]


KINDS: list[Mutate] = [by_bytes, by_tokens, by_structure]


def main(count: int, seed: int) -> None:
    """Check so many mutations."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / ".git").mkdir()
        for name in ("pipelines", "prompts"):
            shutil.copytree(ROOT / name, project / name)
        pipelines = {file: file.read_bytes() for file in sorted((project / "pipelines").glob("*.yaml"))}
        prompts = {file: file.read_bytes() for file in sorted((project / "prompts").rglob("*.j2"))}
        found = 0
        for number in range(count):
            of_prompt = chance.random() < 0.15
            file = chance.choice(list(prompts if of_prompt else pipelines))
            content = (prompts | pipelines)[file]
            mutate = chance.choice([by_bytes, by_tokens]) if of_prompt else KINDS[number % 3]
            mutated = mutate(chance, content, list(pipelines.values()))
            named = project / "pipelines" / f"{file.parent.name}.yaml" if of_prompt else file
            file.write_bytes(mutated)
            faulthandler.dump_traceback_later(LONGEST, exit=True)
            try:
                found += is_wrong(named)
            except BaseException:
                sys.stderr.write(f"mutation {number} of {file.relative_to(project)}: {mutated!r}\n")
                raise
            file.write_bytes(content)
        faulthandler.cancel_dump_traceback_later()
    sys.stdout.write(json.dumps({"checked": count, "found": found, "peak": peak()}))


def peak() -> float:
    """Return the most memory that this process has had, in megabytes.

    On Linux ``ru_maxrss`` begins with what the process was forked from had, so the kernel's own mark comes first.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def is_wrong(file: Path) -> bool:
    """Check a pipeline, and return out what is found in every form; return whether anything is."""
    report = validate([str(file)])
    for dump in FORMATS.values():
        dump(report.findings)
    assert report.findings == () or [*excerpts(report.findings, lines_of)]
    for finding in report.findings:
        assert min(finding.line, finding.column) >= 1, finding
        assert (finding.end_line, finding.end_column) > (finding.line, finding.column), finding
        assert finding.message, finding
        assert "\n" not in str(finding), finding
    assert report.checked == 1
    return bool(report.findings or report.wrong)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
