"""However a command is started, starved, interrupted or cut off: no traceback, and the right exit code."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from llm_gc.cli import exits, failures, process
from llm_gc.cli.failures import exit_code
from llm_gc.errors import (
    COMPLETED,
    EXIT_CODES,
    FAILED,
    INTERRUPTED,
    USAGE,
    PipelineError,
    ServerUnreachable,
    UsageError,
)
from tests.commands import ROOT, Result, command, environ, llm_gc, transcripts

posix = pytest.mark.skipif(os.name == "nt", reason="needs a shell, and what it can do with descriptors")
REHEARSED = ("run", "m1", "--task", "x", "--backend", "rehearsal")
PRINTING = [
    ("--help",),
    ("--version",),
    ("diff", "last", "last"),
    ("diff", "last", "last", "--json"),
    ("graph", "m1"),
    ("ls",),
    ("ls", "--json"),
    ("plan", "m1", "--task", "x"),
    ("rehearse", "m1", "--max-states", "20"),
    ("replay", "last"),
    ("schema",),
    ("schema", "--resolved", "m1"),
    ("show", "last"),
    ("show", "last", "--html", "-"),
    ("show", "last", "--json"),
    ("show", "last", "--markdown", "-"),
    ("test", "pipelines"),
    ("validate", "--explain", "shape"),
    ("validate", "pipelines", "--format", "json"),
    ("validate", "wrong.yaml"),
    ("validate", "wrong.yaml", "--format", "github"),
]
"""Commands that end with 0 (the last two with 1) where what they print can be printed."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a pipeline, a test of it, a session, and a pipeline that is wrong."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pipelines").mkdir()
    for name in ("m1.yaml", "m1.test.yaml"):
        shutil.copy(ROOT / "pipelines" / name, folder / "pipelines")
    shutil.copytree(ROOT / "prompts" / "m1", folder / "prompts" / "m1")
    (folder / "wrong.yaml").write_text("name: a\nroles: {r: {model: m, nope: 1}}\nturns: [q]\n", encoding="utf-8")
    assert llm_gc(*REHEARSED, "--quiet", cwd=folder).code == 0
    return folder


def shell(folder: Path, line: str, *args: str, **more: str) -> Result:
    """Run a line of a shell, in which ``"$@"`` is llm-gc with ``args``."""
    words = ["bash", "-c", line, "bash", *command(*args)]
    done = subprocess.run(
        words,
        cwd=folder,
        env=environ(**more),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
    )
    for mark in ("Traceback", "Exception ignored", "Fatal Python", "fault of llm-gc", "Warning:"):
        assert mark not in done.stderr, done.stderr
    return Result(done.returncode, done.stdout, done.stderr)


# --- Standard streams


FULL, CLOSED, GONE = '"$@" >/dev/full', '"$@" >&-', '"$@" | true; exit "${PIPESTATUS[0]}"'
SAID = {FULL: "no space left on device", CLOSED: "standard output is closed", GONE: ""}


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("line", [FULL, CLOSED])
@pytest.mark.parametrize("args", [("validate", "pipelines", "--format", "json"), ("show", "last"), ("--version",)])
def test_an_output_that_cannot_be_written(project: Path, args: tuple[str, ...], line: str) -> None:
    """Is told once, and the exit code says that something went wrong."""
    result = shell(project, line, *args)
    assert result.code == FAILED
    assert result.err.count(SAID[line]) == 1


@posix
@pytest.mark.slow
@pytest.mark.parametrize("line", [FULL, CLOSED, GONE])
@pytest.mark.parametrize("args", PRINTING, ids=" ".join)
def test_no_command_says_that_all_is_well_where_nobody_got_its_output(
    project: Path, args: tuple[str, ...], line: str
) -> None:
    """Each command, with standard output full, closed, or a pipe that nobody reads."""
    result = shell(project, line, *args)
    assert result.code == FAILED
    assert SAID[line] in result.err


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_device_is_noticed_where_nothing_was_printed(project: Path) -> None:
    """A script that gets no findings must be able to rely on that there are none."""
    assert shell(project, FULL, "validate", "pipelines").code == FAILED
    assert shell(project, '"$@" >/dev/null', "validate", "pipelines").code == COMPLETED


@posix
@pytest.mark.slow
@pytest.mark.parametrize("line", ['"$@" 2>&-', '"$@" 2>/dev/full', '"$@" <&-'])
@pytest.mark.parametrize("args", PRINTING, ids=" ".join)
def test_the_other_streams_are_not_needed(project: Path, args: tuple[str, ...], line: str) -> None:
    """Without standard error or input a command prints the same, and ends the same."""
    result, usual = shell(project, line, *args), shell(project, '"$@"', *args)
    assert (result.code, _untimed(result.out)) == (usual.code, _untimed(usual.out))


def _untimed(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if " s\n" not in line)


@posix
@pytest.mark.parametrize("line", [FULL, CLOSED, GONE, '"$@" | head -1; exit "${PIPESTATUS[0]}"'])
@pytest.mark.parametrize("more", [(), ("--json",), ("--quiet",)], ids=["plain", "json", "quiet"])
def test_a_run_goes_on_without_its_output(project: Path, tmp_path: Path, more: tuple[str, ...], line: str) -> None:
    """To its end, with its transcript whole; it says so once on standard error."""
    result = shell(project, line, *REHEARSED, "--sessions", str(tmp_path / "sessions"), *more)
    (transcript,) = transcripts(tmp_path)
    assert transcript["status"] == "completed"
    assert len(transcript["turns"]) == 6
    if "head" not in line:  # which may have read all of it
        assert result.code == FAILED
        assert result.err.count("standard output") == 1


@posix
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """With all three closed, the first file that is opened would be standard input, and the next standard output."""
    code = "from llm_gc.cli import process; process._open_descriptors(); import os; os._exit(os.open(os.devnull, 0))"
    words = ["bash", "-c", '"$@" <&- >&- 2>&-', "bash", sys.executable, "-c", code]
    assert subprocess.run(words, cwd=tmp_path, env=environ(), check=False).returncode > 2


@posix
def test_a_pipe_that_would_not_wait(project: Path, tmp_path: Path) -> None:
    """Gets all of a long text, however slowly it is read."""
    (tmp_path / "long.txt").write_text("word " * 100_000, encoding="utf-8")
    args = ("plan", "m1", "--task", f"@{tmp_path / 'long.txt'}", "--json")
    read, write = os.pipe()
    os.set_blocking(write, False)
    run = subprocess.Popen(command(*args), cwd=project, env=environ(), stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    text = os.read(read, 1)
    time.sleep(0.5)  # it fills the pipe meanwhile
    while piece := os.read(read, 65536):
        text += piece
    os.close(read)
    _, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (COMPLETED, b"")
    assert json.loads(text)["turns"]


@posix
def test_closed_standard_input(project: Path) -> None:
    """A command that would read it says so."""
    result = shell(project, '"$@" <&-', "validate", "-")
    assert result.code == USAGE
    assert "standard input is closed" in result.err


@posix
@pytest.mark.parametrize("args", [("show", "last", "--json"), ("show", "last"), ("--help",), ("schema",)])
def test_a_locale_that_has_no_letters(project: Path, args: tuple[str, ...]) -> None:
    """What it lacks is replaced, and in JSON escaped."""
    strict = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii:strict"}
    result = shell(project, '"$@"', *args, **strict)
    assert result.code == COMPLETED
    assert result.out.isascii()


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion(shell_name: str) -> None:
    """As click makes it: it is printed as bytes."""
    code = "import sys; sys.argv = ['llm-gc']; from llm_gc.cli import main; main()"

    def completed(kind: str, **words: str) -> str:
        env = environ(_LLM_GC_COMPLETE=f"{shell_name}_{kind}", **words)
        return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout

    assert "_LLM_GC_COMPLETE" in completed("source")
    assert "validate" in completed("complete", COMP_WORDS="llm-gc va", COMP_CWORD="va" if shell_name == "fish" else "1")


# --- Want of files, memory, permission


@posix
@pytest.mark.parametrize("files", [5, 6, 8])
@pytest.mark.parametrize("args", [REHEARSED, ("doctor",), ("validate", "pipelines"), ("ls",), ("replay", "last")])
def test_hardly_any_files_may_be_open(project: Path, args: tuple[str, ...], files: int) -> None:
    """Whatever fails for it says so in a line."""
    result = shell(project, f'ulimit -n {files}; "$@"', *args)
    assert result.code in EXIT_CODES
    assert result.code == COMPLETED or result.err


@posix
@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [15_000, 20_000, 25_000, 30_000, 40_000, 60_000])
@pytest.mark.parametrize("args", [REHEARSED, ("--help",), ("validate", "pipelines"), ("show", "last", "--html", "-")])
def test_hardly_any_memory(project: Path, args: tuple[str, ...], kilobytes: int) -> None:
    """From where Python itself can just start, a command either works or says what it lacks."""
    result = shell(project, f'ulimit -v {kilobytes}; "$@"', *args)  # where C code fails, Python may have no reason
    assert result.code in (COMPLETED, FAILED)
    assert result.code == COMPLETED or result.err


def as_ordinary_user() -> None:
    """Return up the right of root to read what nobody may read."""
    if os.geteuid() == 0:
        import ctypes

        for right in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, right, 0, 0, 0)  # PR_CAPBSET_DROP


LONG = ["x" * 300, "y" * 5000, "z/" * 3000]
PATHS = [
    "dark/in.yaml",
    "dark",
    "dark/in",
    "hidden.yaml",
    "hidden.json",
    "blind",
    "x" * 300,
    "y" * 5000,
    "z/" * 3000,
    "",
]
CALLS: list[tuple[str, ...]] = [
    ("run", "{}", "--backend", "rehearsal"),
    ("run", "m1", "--task", "@{}", "--backend", "rehearsal"),
    ("run", "--from", "{}"),
    (*REHEARSED, "--sessions", "{}"),
    (*REHEARSED, "--answers", "{}"),
    (*REHEARSED, "--set", "extends={}"),
    (*REHEARSED, "--set", "roles.reviewer.prompt={}"),
    ("resume", "{}"),
    ("replay", "{}"),
    ("replay", "last", "--against", "{}"),
    ("diff", "{}", "last"),
    ("show", "{}"),
    ("show", "last", "--html", "{}"),
    ("show", "last", "--sessions", "{}"),
    ("ls", "--sessions", "{}"),
    ("validate", "{}"),
    ("validate", "--explain", "{}"),
    ("plan", "{}"),
    ("graph", "{}"),
    ("graph", "m1", "--svg", "{}"),
    ("rehearse", "{}"),
    ("test", "{}"),
    ("test", "pipelines", "--junit", "{}"),
    ("doctor", "{}"),
    ("schema", "--resolved", "{}"),
]


@pytest.fixture
def guarded(project: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the project with files and folders that its user may not read."""
    folder = shutil.copytree(project, tmp_path / "project")
    (folder / "dark").mkdir()
    (folder / "blind").mkdir()
    (folder / "blind" / "20260101T000000Z-a.json").write_text("{}", encoding="utf-8")
    for name in ("dark/in.yaml", "hidden.yaml", "hidden.json"):
        shutil.copy(folder / "pipelines" / "m1.yaml", folder / name)
    hidden = [folder / name for name in ("dark", "hidden.yaml", "hidden.json", "blind/20260101T000000Z-a.json")]
    for path in hidden:
        path.chmod(0)
    yield folder
    for path in hidden:
        path.chmod(0o700)


def _refused(folder: Path, args: tuple[str, ...], path: str) -> None:
    words = command(*(arg.replace("{}", path) for arg in args))
    done = subprocess.run(
        words, cwd=folder, env=environ(), capture_output=True, text=True, timeout=60, check=False,
        stdin=subprocess.DEVNULL, preexec_fn=as_ordinary_user,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "fault of llm-gc" not in done.stderr
    assert done.returncode in EXIT_CODES
    assert done.returncode == COMPLETED or (done.stdout + done.stderr).strip()


@posix
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:12] or "empty")
def test_a_session_that_nobody_may_read_or_that_cannot_be(guarded: Path, path: str) -> None:
    """As for somebody who is not root."""
    _refused(guarded, ("show", "{}"), path)


@posix
@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:12] or "empty")
@pytest.mark.parametrize("args", CALLS, ids=" ".join)
def test_a_path_that_nobody_may_read_or_that_cannot_be(guarded: Path, args: tuple[str, ...], path: str) -> None:
    """In every place where a path is expected."""
    _refused(guarded, args, path)


# --- Ctrl-C


@pytest.fixture(autouse=True)
def hearing() -> Iterator[None]:
    """Enable Ctrl-C in child processes, though this one may have been started in the background without it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


TRAP = """
import os, signal, sys

class Trap:
    left = int(os.environ["TRAP_AT"])
    def find_spec(self, name, *_):
        if name.startswith("llm_gc.") or self.left < int(os.environ["TRAP_AT"]):
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGINT)
        return None

sys.meta_path.insert(0, Trap())
"""
"""Presses Ctrl-C when so many modules have been imported, from the first of llm-gc's own on."""


def trapped(folder: Path, at: int, *args: str) -> Result:
    """Run llm-gc and interrupt it at one of its imports."""
    (folder / "sitecustomize.py").write_text(TRAP, encoding="utf-8")
    path = f"{folder}{os.pathsep}{ROOT}"
    done = subprocess.run(
        command(*args), cwd=folder, env=environ() | {"PYTHONPATH": path, "TRAP_AT": str(at)}, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)


def _is_clean(result: Result) -> None:
    assert result.code == INTERRUPTED, result
    assert result.err.strip() == "llm-gc: interrupted"


@posix
@pytest.mark.parametrize("at", [4, 5, 6, 20, 60, 150, 250])
def test_ctrl_c_while_it_starts(tmp_path: Path, at: int) -> None:
    """At an import, whichever: the exit code is 130, and no traceback is shown."""
    _is_clean(trapped(tmp_path, at, *REHEARSED[:1], str(ROOT / "pipelines" / "m1.yaml"), *REHEARSED[2:]))
    assert not (tmp_path / "sessions").exists()


@posix
@pytest.mark.slow
def test_ctrl_c_at_any_import(tmp_path: Path) -> None:
    """At each of the first hundred, and at some of the later ones."""
    for at in [*range(4, 100), *range(100, 320, 4)]:
        result = trapped(tmp_path, at, "run", str(ROOT / "pipelines" / "m1.yaml"), *REHEARSED[2:])
        if result.code == COMPLETED:
            break
        _is_clean(result)
    assert at > 200


@posix
@pytest.mark.slow
def test_ctrl_c_at_any_time(project: Path, tmp_path: Path) -> None:
    """In the first 300 ms of 100 launches: what it left is a whole session or none.

    Before the first line of llm-gc runs, the signal is Python's to handle, which may show its own traceback.
    """
    chance = random.Random(1)
    ours = 0
    for _ in range(100):
        run = subprocess.Popen(
            command(*REHEARSED, "--sessions", str(tmp_path / "sessions")), cwd=project, env=environ(),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        time.sleep(chance.uniform(0, 0.3))
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=60)
        assert b"llm_gc/" not in err, err
        ours += run.returncode in (INTERRUPTED, COMPLETED)
    assert ours > 50
    assert not [*(tmp_path / "sessions").glob("*.part")] if (tmp_path / "sessions").exists() else True


def sharing(folder: Path) -> subprocess.Popen[bytes]:
    """Start a check that takes a while, with three processes in a group of their own."""
    (folder / "pipelines").mkdir()
    for number in range(3000):
        (folder / "pipelines" / f"p{number}.yaml").hardlink_to(_first(folder))
    run = subprocess.Popen(
        command("validate", "--jobs", "3", "pipelines"), cwd=folder, env=environ(), stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    shared = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    for _ in range(200):
        time.sleep(0.05)
        if not shared.exists() or shared.read_text(encoding="ascii"):
            break
    return run


def _first(folder: Path) -> Path:
    first = folder / "m1.yaml"
    if not first.exists():
        shutil.copy(ROOT / "pipelines" / "m1.yaml", first)
    return first


def group_ends(group: int) -> bool:
    """Wait until no process of a group is left, but those that are dead and that nobody has asked for yet."""
    for _ in range(300):
        listed = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
        if not any(line.split()[0] == str(group) and "Z" not in line for line in listed.splitlines()):
            return True
        time.sleep(0.1)
    return False


def test_ctrl_c_is_heard_though_a_library_makes_another_error_of_it() -> None:
    """As those do that call Python from another language while they are loaded."""
    code = (
        "from llm_gc.cli import commands, process\n"
        "def fails(**_):\n"
        "    try:\n"
        "        process._interrupt()\n"
        "    except KeyboardInterrupt as error:\n"
        "        raise ValueError('a schema cannot be built') from error\n"
        "commands.cli.main = fails\n"
        "process.run()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environ(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (INTERRUPTED, "llm-gc: interrupted\n")


@posix
def test_ctrl_c_reaches_who_shares_the_work(tmp_path: Path) -> None:
    """All processes of ``--jobs`` end, and none of them shows a traceback."""
    run = sharing(tmp_path)
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == INTERRUPTED
    assert err.decode().strip() == "llm-gc: interrupted"
    assert group_ends(run.pid)


@posix
def test_who_shares_the_work_ends_with_who_gave_it(tmp_path: Path) -> None:
    """A kill, which no program hears, leaves no process behind either."""
    run = sharing(tmp_path)
    run.kill()
    run.communicate(timeout=60)
    assert group_ends(run.pid)


@posix
def test_who_started_it_may_want_it_deaf(project: Path) -> None:
    """As a shell does that starts it in the background: Ctrl-C is then meant for another."""
    line = "trap '' INT; \"$@\" & sleep 0.3; kill -INT $!; wait $!"
    result = shell(project, line, "validate", "pipelines")
    assert result.code == COMPLETED


# --- Errors that nobody has foreseen


@pytest.fixture
def reported(capsys: pytest.CaptureFixture[str]) -> Callable[[BaseException], tuple[int, str]]:
    """Return what reports an error: the exit code, and what is said."""

    def report(error: BaseException) -> tuple[int, str]:
        code = exit_code(error)
        return code, capsys.readouterr().err

    return report


Report = Callable[[BaseException], tuple[int, str]]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("one", "two"), USAGE, "llm-gc: one\ntwo\n"),
        (UsageError("a\nforged"), USAGE, "llm-gc: a␊forged\n"),
        (PipelineError([]), USAGE, ""),
        (ServerUnreachable("no server"), 3, "llm-gc: no server\n"),
        (click.UsageError("No such thing"), USAGE, "llm-gc: No such thing. See llm-gc --help.\n"),
        (KeyboardInterrupt(), INTERRUPTED, "llm-gc: interrupted\n"),
        (click.Abort(), INTERRUPTED, "llm-gc: interrupted\n"),
        (SystemExit(3), 3, ""),
        (SystemExit("words"), FAILED, ""),
        (SystemExit(None), COMPLETED, ""),
        (MemoryError(), FAILED, "llm-gc: there is not enough memory\n"),
        (RecursionError("maximum"), FAILED, "llm-gc: something here is nested too deeply\n"),
        (ExceptionGroup("several", [MemoryError()]), FAILED, "llm-gc: there is not enough memory\n"),
        (
            OSError(errno.ENAMETOOLONG, "File name too long", "x" * 300),
            USAGE,
            f"llm-gc: {'x' * 199}…: file name too long\n",
        ),
        (PermissionError(errno.EACCES, "Permission denied", b"\x1b[2J"), USAGE, "llm-gc: ␛[2J: permission denied\n"),
        (OSError(errno.ENOSPC, "No space left on device"), FAILED, "llm-gc: the disk is full; free some of it\n"),
        (
            RuntimeError("can't start new thread"),
            FAILED,
            "llm-gc: this machine allows no more threads; see ulimit -u\n",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_error_has_its_message_and_code(reported: Report, error: BaseException, code: int, said: str) -> None:
    """In lines of its own, none of which it can forge."""
    assert reported(error) == (code, said)


def test_want_of_files_or_threads_says_what_to_do(reported: Report) -> None:
    """By the name of the limit."""
    code, said = reported(OSError(errno.EMFILE, "Too many open files", "a.yaml"))
    assert code == FAILED
    assert said.startswith("llm-gc: a.yaml: ")
    assert "ulimit -n" in said
    assert "ulimit -u" in reported(RuntimeError("can't start new thread"))[1]


def test_an_unexpected_error(reported: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is one line that says what to do; its traceback is shown to who asks for it."""
    monkeypatch.delenv(failures.DEBUG, raising=False)

    def fails() -> None:
        raise ValueError("odd\n\x1b[2J")

    with pytest.raises(ValueError, match="odd") as caught:
        fails()
    code, said = reported(caught.value)
    assert code == FAILED
    assert said.count("\n") == 1
    assert f"{failures.DEBUG}=1" in said
    monkeypatch.setenv(failures.DEBUG, "1")
    code, said = reported(caught.value)
    assert code == FAILED
    assert "in fails" in said
    assert "\x1b" not in said


def test_strays_are_not_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails in a destructor or a thread can be handled by nobody; but Ctrl-C there ends the process."""
    monkeypatch.delenv(failures.DEBUG, raising=False)
    ended: list[Any] = []
    monkeypatch.setattr(process, "leave", lambda: ended.append(True))
    for error in (ValueError("x"), KeyboardInterrupt()):
        process._stray(type("Failed", (), {"exc_value": error, "exc_type": type(error), "exc_traceback": None}))
    assert ended == [True]
    assert capsys.readouterr().err == ""


def test_exit_codes_are_told() -> None:
    """In the help, and the one that is needed before anything is loaded is the same."""
    assert exits.INTERRUPTED == INTERRUPTED
    shown = " ".join(llm_gc("--help", cwd=ROOT).out.split())
    for code, meaning in EXIT_CODES.items():
        assert f"{code} {meaning}" in shown


def test_little_is_loaded_before_ctrl_c_is_handled() -> None:
    """What is imported before that is time in which Python itself would answer it."""
    code = (
        "import sys; before = {*sys.modules}; from llm_gc.cli import main; import llm_gc.cli.process\n"
        "print(*sorted({*sys.modules} - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.append({str(ROOT)!r}); {code}"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert {name.partition(".")[0] for name in done.stdout.split()} <= {
        "__future__", "llm_gc", "signal", "enum", "types", "operator", "_operator", "functools", "_functools",
        "collections", "_collections", "itertools", "keyword", "reprlib", "re",
    }  # fmt: skip
