"""Documents to findings: each document is checked, in this process or in several; what is silenced is left out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, islice

from llm_gc.errors import Finding, UsageError
from llm_gc.project import STDIN_NAME, Library, once
from llm_gc.validation.discovery import CheckedDocument, check, find, read
from llm_gc.validation.silence import Ignore, SilencedFindings, unused

BETWEEN, THOROUGH = 5, 100
"""After so many documents garbage is looked for: among what they left behind, and in everything."""

CHUNK = 8
"""So many documents a worker is given at a time: neighbours mostly share their prompts."""


@dataclass(frozen=True)
class ValidationReport:
    """Everything that was found: the findings in order, how many documents were checked, and what was not looked at.

    ``passed_over`` are YAML files of no kind that is known, ``wrong`` sentences about names that lead nowhere.
    """

    findings: tuple[Finding, ...]
    checked: int
    passed_over: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()


@dataclass
class _Share:
    """What one worker found."""

    findings: list[Finding] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    ignores: set[Ignore] = field(default_factory=set)
    used: set[Ignore] = field(default_factory=set)


def validate(names: Sequence[str], *, stdin: bytes = b"", jobs: int = 1) -> ValidationReport:
    """Check the documents that are named or lie in a folder that is; ``stdin`` is what ``-`` stands for.

    The report is the same with any number of ``jobs``, the processes that share the work.
    """
    found = find(names)
    parts = list(_in_processes(found.documents, stdin, jobs) if jobs > 1 else [_check(found.documents, stdin)])
    findings = [finding for part in parts for finding in part.findings]
    ignores = {one for part in parts for one in part.ignores} - {one for part in parts for one in part.used}
    named = {document.file for document in found.documents}
    findings += unused(ignore for ignore in ignores if ignore.file in named)
    wrong = [*found.wrong, *(sentence for part in parts for sentence in part.wrong)]
    passed_over = tuple(dict.fromkeys(found.passed_over))
    return ValidationReport(tuple(sorted(once(findings), key=_order)), len(found.documents), passed_over, tuple(wrong))


def _order(finding: Finding) -> tuple[object, ...]:
    return finding.file, finding.line, finding.column, finding.code, finding.message


def _check(documents: Iterable[CheckedDocument], stdin: bytes) -> _Share:
    """Check documents one after the other; what they share is read once."""
    library, part = Library(), _Share()
    silence = SilencedFindings(library)
    with _by_the_document() as begin:
        for document in documents:
            begin()
            file = document.file
            try:
                content = stdin if file == STDIN_NAME else read(document)
                findings = check(library, document, content)
            except UsageError as error:
                part.wrong.append(str(error))
            else:
                part.findings += silence.heeded(findings)
                silence.look_at(file)
                library.forget(file)  # of a thousand files no two need be held at once
    part.ignores, part.used = silence.ignores(), silence.used
    return part


@contextmanager
def _by_the_document() -> Iterator[Callable[[], None]]:
    """Look for garbage between documents alone: in the middle of one, all that it needs would be looked through too.

    What is given is called before each document.
    """
    was_enabled, numbers = gc.isenabled(), count()

    def begin() -> None:
        number = next(numbers)
        if number % BETWEEN == BETWEEN - 1:
            gc.collect(2 if number % THOROUGH == THOROUGH - 1 else 0)  # what is kept for all only grows

    gc.disable()  # and nothing is frozen: once let go of, garbage in it would be old, where Python hardly looks
    try:
        yield begin
    finally:
        if was_enabled:
            gc.enable()


def _in_processes(documents: Sequence[CheckedDocument], stdin: bytes, jobs: int) -> list[_Share]:
    """Share the documents among processes, and return what they found in order."""
    from concurrent.futures import ProcessPoolExecutor  # only who asks for it pays for its import

    waiting = iter(documents)
    chunks = [*iter(lambda: list(islice(waiting, CHUNK)), [])]
    if len(chunks) < 2:
        return [_check(documents, stdin)]
    with ProcessPoolExecutor(min(jobs, len(chunks)), initializer=_follow_parent) as pool:
        try:
            with _uninterrupted():  # nobody could put a pool in order that is half made
                found = pool.map(_check, chunks, [stdin] * len(chunks))
            return list(found)
        except BaseException:
            pool.shutdown(cancel_futures=True)  # what nobody waits for any more need not be done
            raise


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off, and keep it from the processes that are started meanwhile."""
    import signal

    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _follow_parent() -> None:
    """Leave Ctrl-C to the process that waits for this one, and end with it, however that ends."""
    import multiprocessing
    import os
    import signal
    import threading

    def follow() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=follow, daemon=True).start()
