"""Made pipelines to check: each of 200 lines and clean, no two alike, with prompts and templates that partly repeat."""

from __future__ import annotations

from pathlib import Path

ROLES = 8


def write(folder: Path, count: int) -> None:
    """Write so many pipelines."""
    for number in range(count):
        (folder / f"case-{number:04}.yaml").write_text(pipeline(number), encoding="utf-8")


def pipeline(number: int, *, lines: int = 200, steps: int | None = None) -> str:
    """Return one pipeline of so many lines; with ``steps``, of so many steps, however many lines that takes."""
    head = [
        "# yaml-language-server: $schema=../schemas/pipeline.schema.json",
        f"name: case-{number}",
        f"description: A review of part {number} by several people, each of whom looks at something else.",
        "",
        "inputs:",
        f"  task: {{type: string, description: What to do in part {number}.}}",
        "  rounds: {type: integer, minimum: 1, maximum: 5, default: 3, description: How often.}",
        "",
        'defaults: {model: "llama3.2:3b", num_ctx: 131072}',
        "",
        "roles:",
        *(line for role in range(ROLES) for line in _role(role, number)),
        "",
        'opening: "Task: {{ task }}"',
        "",
        "turns:",
    ]
    tail = [
        "",
        "limits: {max_turns: 40, timeout: 60s}",
        "stop: [{token: APPROVED, role: person_0}]",
        'result: "{{ last.content }}"',
    ]
    body: list[str] = []
    room, group = lines - len(head) - len(tail), 0
    while len(body) < room if steps is None else group * STEPS < steps:
        body += _steps(group, number)
        group += 1
    return "\n".join([*head, *(body[:room] if steps is None else body), *tail]) + "\n"


STEPS = 8
"""The steps of one group, those inside others included."""


def _role(role: int, number: int) -> list[str]:
    return [
        f"  person_{role}:",
        f"    label: Person {role}",
        f"    temperature: 0.{role}",
        f"    max_tokens: {200 + number % 50}",
        "    description: Looks at one thing.",
        "    prompt: |",
        f"      You are person {role} of a team. The task is {{{{ task }}}}.",
        "      Look at what the others have said, and be brief.",
        "      End with APPROVED when nothing is left to do.",
    ]


def _steps(group: int, number: int) -> list[str]:
    first, second, third, fourth = ((group + index) % (ROLES - 1) for index in range(4))
    return [
        f"  - say: person_{first}",
        f"    instruction: Answer {{{{ last.label }}}} in a sentence, for the task {{{{ task }}}}; part {number}.",
        f"    as: answer_{group}",
        f"  - repeat: [person_{second}, person_{ROLES - 1}]",
        '    times: "{{ rounds }}"',
        "    until: \"'yes' in last.content\"",
        f"  - set: {{note_{group}: answer_{group}.content}}",
        f'  - post: "Noted: {{{{ note_{group} }}}}"',
        "  - parallel:",
        f"      - say: person_{third}",
        "        instruction: Say what you think.",
        f"      - person_{fourth}",
    ]
