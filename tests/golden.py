"""What the gallery does, frozen in ``tests/data/golden/``: ids, requests, transcripts, findings, rehearsals.

The files hold nothing that depends on the wording of a message, on a class or on a module, so that only a change of
behaviour changes them. Who changes behaviour on purpose writes them again with ``python -m tests.golden``, in the same
commit, and looks at what the diff says.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Any

from click.testing import CliRunner

import llm_gc
from llm_gc.backends.rehearsal import Rehearsal
from llm_gc.cli.commands import cli
from tests.commands import ROOT, Result

FOLDER = ROOT / "tests" / "data" / "golden"
PIPELINES = ROOT / "pipelines"
SEEDS = (1, 2, 3)
SHORT = 90
"""A message of so many characters or fewer is shown whole; a longer one as its hash."""

INPUTS = {
    "best-of-n": {"task": "Name a colour."},
    "map-reduce": {"text": "A kite.\n\nA boat.\n\nA lamp."},
}
TEXT = "a kite\na boat\na lamp"
"""The value of every other input that has no default."""

WORDING = {"ended_at", "file", "id", "sha256", "started_at", "versions", "warnings", "detail", "message"}
"""What a transcript says of times, places and versions, and in sentences."""


def names() -> list[str]:
    """Return the names of the pipelines in the gallery."""
    return sorted(file.stem for file in PIPELINES.glob("*.yaml") if not file.stem.endswith(".test"))


def digest(value: Any) -> str:
    """Return a short hash of a value's canonical JSON."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def conversation(name: str, seed: int) -> dict[str, Any]:
    """Run a pipeline with the rehearsal backend and return what it asked, sent and recorded."""
    with tempfile.TemporaryDirectory() as folder:
        backend = Rehearsal()  # an object is asked for people too
        transcript = llm_gc.run(PIPELINES / f"{name}.yaml", _inputs(name), backend=backend, seed=seed, sessions=folder)
        (file,) = Path(folder).glob("*.json")
        record = json.loads(file.read_text(encoding="utf-8"))
    asked = [
        f"{turn.id} {json.dumps(dict(turn.request.options), sort_keys=True)} #{digest(turn.request.format)} "
        + " | ".join(_sent(message) for message in llm_gc.messages_of(transcript, turn))
        for turn in transcript.turns
    ]
    turns = [{**_without(turn, WORDING - {"id"}), "warnings": len(turn["warnings"])} for turn in record["turns"]]
    return {
        "status": transcript.status,
        "reason": transcript.ended_by.reason,
        "asked": asked,
        "turns": [digest(turn) for turn in turns],
        "transcript": digest({**_without(record, WORDING), "turns": turns}),
    }


def _inputs(name: str) -> dict[str, Any]:
    import yaml

    declared = yaml.safe_load((PIPELINES / f"{name}.yaml").read_text(encoding="utf-8")).get("inputs") or {}
    needed = {key: TEXT for key, schema in declared.items() if "default" not in schema}
    return {**needed, **{key: value for key, value in INPUTS.get(name, {}).items() if key in declared}}


def _sent(message: Mapping[str, str]) -> str:
    content = message["content"]
    return f"{message['role']}: {content if len(content) <= SHORT else '#' + digest(content)}"


def _without(value: Any, keys: Iterable[str]) -> Any:
    """Return a copy of plain data without some keys, at any depth."""
    if isinstance(value, Mapping):
        return {key: _without(item, keys) for key, item in value.items() if key not in keys}
    return [_without(item, keys) for item in value] if isinstance(value, list) else value


def rehearsal(name: str) -> dict[str, Any]:
    """Return what ``rehearse`` finds out about a pipeline, in figures."""
    report = json.loads(llm_gc_here("rehearse", f"pipelines/{name}.yaml", "--json"))
    report["endings"] = [
        {**_without(ending, ("detail", "way")), "way": len(ending["way"])} for ending in report["endings"]
    ]
    report["prompts"] = {
        role: {**_without(prompt, ("way",)), "way": len(prompt["way"])} for role, prompt in report["prompts"].items()
    }
    report["findings"] = [_place(finding) for finding in report["findings"]]
    return dict(_without(report, ("file", "inputs")))


def plan(name: str) -> list[str]:
    """Return the plan's turns: who speaks, on which model, and how large the prompt and the reply may become."""
    report = json.loads(llm_gc_here("plan", f"pipelines/{name}.yaml", "--json"))
    return [
        f"{turn['role']} ({turn['model']}): {turn['prompt']} + {turn['reply']}{' pick' * turn['is_pick']}"
        for turn in report["turns"]
    ]


def findings(name: str) -> list[str]:
    """Return what ``validate`` finds in a pipeline, and in it without one of its lines, for each line."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "prompts", Path(folder, "prompts"))
        shutil.copytree(PIPELINES, Path(folder, "pipelines"))
        lines = (PIPELINES / f"{name}.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
        Path(folder, "pipelines", "line-000.yaml").write_text("".join(lines), encoding="utf-8")
        for number in range(1, len(lines)):
            text = "".join(lines[:number] + lines[number + 1 :])
            Path(folder, "pipelines", f"line-{number:03}.yaml").write_text(text, encoding="utf-8")
        broken = [f"pipelines/line-{number:03}.yaml" for number in range(len(lines))]
        found = json.loads(llm_gc_here("validate", *broken, "--format", "json", cwd=Path(folder)))
    return [f"{finding['file'].partition('line-')[2]} {_place(finding)}" for finding in _listed(found)]


def _listed(found: Any) -> list[dict[str, Any]]:
    return list(found["findings"] if isinstance(found, dict) else found)


def _place(finding: Mapping[str, Any]) -> str:
    return f"{finding['severity']} {finding['code']} {finding['line']}:{finding['column']}"


def llm_gc_here(*args: str, cwd: Path = ROOT) -> str:
    """Run a command in this process and return what it printed; it may end with any code."""
    return run_here(*args, cwd=cwd).out


def run_here(*args: str, cwd: Path) -> Result:
    """Run a command in this process."""
    with chdir(cwd):
        result = CliRunner().invoke(cli, list(args), standalone_mode=False)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Result(result.return_value or 0, result.stdout, result.stderr)


def of_pipeline(name: str) -> dict[str, Any]:
    """Return all that is frozen about one pipeline."""
    return {
        "conversations": {str(seed): conversation(name, seed) for seed in SEEDS},
        "rehearsal": rehearsal(name),
        "plan": plan(name),
        "findings": findings(name),
    }


def written(golden: Mapping[str, Any]) -> str:
    """Return the text of a file."""
    return json.dumps(golden, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    """Write the files again."""
    for key in [key for key in os.environ if key.startswith(("OLLAMA", "LLM_GC"))]:
        del os.environ[key]
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    for name in names():
        FOLDER.joinpath(f"{name}.json").write_text(written(of_pipeline(name)), encoding="utf-8")
    sys.stdout.write(f"{FOLDER}: {len(names())} pipelines\n")


if __name__ == "__main__":
    main()
