"""The doctor's report: what is well in short lines, what is not with its remedy, by server, models and pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Literal, NamedTuple

from llm_gc.backends.interface import Examination, ModelRecord, Probe
from llm_gc.doctor.diagnosis import About, Diagnosis, DoctorCase, share, size

KINDS = {"ollama": "Ollama", "openai": "OpenAI-compatible server", "embedded": "Embedded engine"}
NONE_LISTED = {
    "ollama": "It has none yet: `ollama pull NAME` gets one.",
    "embedded": "No program's store here has a model; a .gguf file can be named by its path.",
}
MOST_LISTED = 20

Mark = Literal["ok", "note", "warning", "error"]


class Line(NamedTuple):
    """A line of the report, what is to be done about it, and where a pipeline asks for it."""

    mark: Mark
    text: str
    remedy: str = ""
    places: tuple[str, ...] = ()


class DiagnosisGroup(NamedTuple):
    """Lines about one thing."""

    title: str
    lines: Sequence[Line]


def report(cases: Sequence[DoctorCase], found: Sequence[Sequence[Diagnosis]], name: str) -> Iterator[DiagnosisGroup]:
    """Yield the groups of the report: of each case what was ``found`` in it; ``name`` is the pipeline's, or empty."""
    for case, diagnoses in zip(cases, found, strict=True):
        server = case.server
        where = f" at {server.url}" if server.url else ""
        title = f"{KINDS[server.kind]}{where} ({server.source})"
        yield DiagnosisGroup(title, [*_server(server), *_of("server", diagnoses)])
        if not server.trouble:
            models = [*_models(case), *_of("models", diagnoses)]
            yield DiagnosisGroup("Models", models)
    if name:
        lines = [line for diagnoses in found for line in _of("pipeline", diagnoses)]
        if not lines and not any(case.server.trouble for case in cases):
            lines = [Line("ok", "nothing that it says will be ignored")]
        if lines:
            yield DiagnosisGroup(f"Pipeline {name}", lines)


def as_data(cases: Sequence[DoctorCase], found: Sequence[Diagnosis]) -> dict[str, Any]:
    """Return all of it as data: what each server says, and what was found."""
    servers = [asdict(case.server) for case in cases]
    for server in servers:
        for record in server["models"].values():
            record["facts"] = record["facts"]._asdict() if hasattr(record["facts"], "_asdict") else record["facts"]
    return {"servers": servers, "findings": [asdict(one) for one in found]}


def _of(about: About, found: Sequence[Diagnosis]) -> list[Line]:
    return [Line(one.severity, one.message, one.remedy, one.places) for one in found if one.about == about]


def _server(server: Examination) -> Iterator[Line]:
    if server.trouble:
        return
    has = "" if server.listed is None else f", and has {_count(len(server.listed), 'model')}"
    yield Line("ok", f"it answers{f' as version {server.version}' if server.version else ''}{has}")
    for held in server.held or ():
        words = [f"holds {held.name}"]
        if held.bytes:
            where = "without a GPU" if not held.on_gpu else f"{share(held.on_gpu, held.bytes)} of it on a GPU"
            words.append(f"{size(held.bytes)} in memory, {where}")
        if held.window:
            words.append(f"a window of {held.window:,} tokens")
        yield Line("ok", ", ".join(words))
    if server.held == ():
        yield Line("ok", "holds no model in memory now")


def _models(case: DoctorCase) -> Iterator[Line]:
    server, stayed = case.server, case.stayed
    for name, record in server.models.items():
        if record.whereabouts == "here":
            yield Line("ok", f"{name}: {_about(record)}")
        if name in server.probes and (words := _probed(server.probes[name])):
            yield Line("ok", f"{name} {words}")
    if stayed is not None and len(stayed) == len(server.probes) > 1:
        yield Line("ok", f"all {len(stayed)} of them stay loaded side by side")
    if case.wants or server.listed is None:
        return
    for listed in server.listed[:MOST_LISTED]:
        yield Line("ok", f"{listed.name}{f', {size(listed.bytes)}' if listed.bytes else ''}")
    if len(server.listed) > MOST_LISTED:
        yield Line("ok", f"and {len(server.listed) - MOST_LISTED} more")
    if not server.listed:
        yield Line("note", NONE_LISTED.get(server.kind, "It has none."))


def _about(record: ModelRecord) -> str:
    words = []
    if record.facts.capabilities:
        words.append(f"can do {', '.join(record.facts.capabilities)}")
    if record.facts.context_length:
        words.append(f"trained for {record.facts.context_length:,} tokens")
    if record.facts.num_ctx:
        words.append(f"held with {record.facts.num_ctx:,} tokens")
    if record.bytes:
        words.append(size(record.bytes))
    return ", ".join(words) or "it is there"


def _probed(probe: Probe) -> str:
    if probe.failure or not probe.answered:
        return ""
    words = [f"answers in {probe.seconds:.1f} s"]
    words += [] if probe.wrong else ["keeps to the form of a structured reply"]
    words += [] if probe.thought else ["does not think when told not to"]
    return ", ".join(words)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
