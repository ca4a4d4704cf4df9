"""What is printed is safe, whatever is printed, and a stream that cannot be written stops nothing that matters."""

from __future__ import annotations

import errno
import io
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from llm_gc.cli import output
from llm_gc.cli.output import OutputLost, Stream, why_lost
from llm_gc.values.safe_text import clean, clean_json, one_line, rows

CONTROLS = [
    *range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x2028, 0x2029,
    *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C, *range(0xD800, 0xE000, 97),
]  # fmt: skip
"""What may never be printed; tabs and line ends may, where they are layout."""

HOSTILE = "a" + "".join(map(chr, CONTROLS)) + "b\nforged: line\tc"


def unsafe(text: str) -> set[str]:
    """Return what a terminal would obey, of what was printed."""
    return {one for one in text if ord(one) in CONTROLS or "\ud800" <= one < "\ue000"}


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Return what is printed to standard output, in a process of its own streams."""
    shown, stream = io.StringIO(), Stream("stdout")
    stream.keep(shown)
    monkeypatch.setattr(output, "out", stream)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return shown


def test_a_line_is_one_line(printed: io.StringIO) -> None:
    """Whatever is in it, in any of its pieces."""
    output.out.line(HOSTILE, (HOSTILE, "red"))
    assert printed.getvalue().count("\n") == 1
    assert "\t" not in printed.getvalue()
    assert not unsafe(printed.getvalue())


@pytest.mark.parametrize(
    "show",
    [
        lambda out: out.text(HOSTILE),
        lambda out: out.text(HOSTILE, "dim", end=""),
        lambda out: out.lines(HOSTILE, HOSTILE),
        lambda out: out.escaped(json.dumps(HOSTILE, ensure_ascii=False)),
        lambda out: out.commands([HOSTILE]),
        lambda out: out.document([HOSTILE]),
        lambda out: out.status(HOSTILE),
    ],
    ids=["text", "piece", "lines", "escaped", "commands", "document", "status"],
)
def test_every_way_to_print_is_safe(printed: io.StringIO, show: Callable[[Stream], None]) -> None:
    """No control character and no mark of direction passes."""
    show(output.out)
    assert not unsafe(printed.getvalue())


def test_a_name_stands_before_every_line(printed: io.StringIO) -> None:
    """So that what one says cannot pass for what another says; the name itself is one line."""
    output.out.lines("role\nx", "one\n\ntwo: three\n")
    assert printed.getvalue() == "role␊x: one\nrole␊x:\nrole␊x: two: three\n"


@pytest.mark.parametrize("value", [HOSTILE, {"\x9b": ["\u202e", "\ud83d\ude00", "😀", "\x7f"]}])
def test_json_means_the_same(printed: io.StringIO, value: Any) -> None:
    """It is safe to print and can be read back."""
    output.out.escaped(json.dumps(value, ensure_ascii=False, indent=1))
    assert json.loads(printed.getvalue()) == json.loads(json.dumps(value))


def test_json_on_a_stream_without_its_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Escapes what the stream does not know, instead of losing it."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii", errors="replace"))
    Stream("stdout").escaped(json.dumps("é😀", ensure_ascii=False))
    assert json.loads(raw.getvalue()) == "é😀"


@pytest.mark.parametrize("begin", ["::set-env name=A::b", "  ::stop-commands::x", "\u00a0::error::x"])
def test_no_line_is_a_command_of_a_workflow(printed: io.StringIO, begin: str) -> None:
    """A line of data never begins like one; only the format for it may."""
    output.out.line(begin)
    output.out.line((begin, "bold"), "x")
    output.out.lines("", begin)
    assert not any(line.strip().startswith("::") for line in printed.getvalue().splitlines())
    output.out.commands(["::error file=a::b"])
    assert printed.getvalue().endswith("\n::error file=a::b\n")


def test_a_text_in_the_log_of_a_workflow(printed: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a model wrote is no command there; elsewhere it is printed as it is."""
    text = "one\n::set-output name=x::y\nsee ##[add-mask]z"
    output.out.text(text)
    assert printed.getvalue() == f"{text}\n"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    output.out.text(text)
    output.out.document([text, "\n"])
    output.out.escaped(json.dumps(text))
    shown = printed.getvalue()[len(text) :]
    assert "\n::" not in shown
    assert "##[" not in shown
    assert json.loads(shown.splitlines()[-1]) == text


class Full(io.StringIO):
    """A stream that takes nothing."""

    def __init__(self, error: int) -> None:
        super().__init__()
        self.error, self.tries = error, 0

    def flush(self) -> None:
        """Fail.

        Raises:
            OSError: always.

        """
        self.tries += 1
        raise OSError(self.error, "No more")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EPIPE, errno.EIO])
def test_a_lost_output_ends_what_only_prints(monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    """By something that nobody takes for a fault of what was printed."""
    monkeypatch.setattr(sys, "stdout", Full(error))
    stream = Stream("stdout")
    with pytest.raises(OutputLost):
        stream.line("x")
    assert not issubclass(OutputLost, Exception)
    assert stream.lost is not None
    assert "standard output" in why_lost(stream.lost)


def test_a_lost_output_does_not_end_what_does_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said once, on standard error, and nothing more is written."""
    full = Full(errno.ENOSPC)
    monkeypatch.setattr(sys, "stdout", full)
    stream = Stream("stdout")
    stream.keep_going("the work goes on")
    for _ in range(3):
        stream.line("x")
    assert full.tries == 1
    assert capsys.readouterr().err == "warning: standard output cannot be written: no more; the work goes on\n"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_process_without_streams(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Python has none where a descriptor is closed."""
    monkeypatch.setattr(sys, name, None)
    stream = Stream(name)
    stream.keep_going("")
    stream.line("x")
    stream.document(["x"])
    stream.end()
    assert stream.lost is not None
    assert not stream.is_terminal
    assert stream.width > 0


def test_standard_error_never_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nobody left to be told."""
    monkeypatch.setattr(sys, "stderr", Full(errno.EPIPE))
    Stream("stderr").line("x")


def test_what_other_libraries_print_is_made_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can print around it."""
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(output, "out", Stream("stdout"))
    monkeypatch.setattr(output, "err", Stream("stderr"))
    output.guard()
    print(HOSTILE)  # noqa: T201  # that is what is tested
    print("::set-env name=a::b", file=sys.stderr)  # noqa: T201
    assert not unsafe(shown.getvalue())
    assert "\n::" not in shown.getvalue()
    with pytest.raises(TypeError):
        sys.stdout.write(b"x")  # type: ignore[arg-type]


@pytest.mark.parametrize("safe", [clean, one_line, clean_json])
def test_ordinary_text_stays(safe: Callable[[str], str]) -> None:
    """Letters of any script, emoji with joiners, combining marks."""
    text = "Grüße, 日本 שלום e\u0301 👩\u200d👩\u200d👧 a\u00a0b"
    assert safe(text) == text


def test_words_are_broken_between_words() -> None:
    """A broken line is set in, and no word is torn or lost."""
    text = "    " + " ".join(f"word{number}" for number in range(30)) + " " + "x" * 90 + " end"
    broken = [text[begin:end] for begin, end in rows(text, 60)]
    assert " ".join(broken) == text
    assert max(len(row) for row in broken if "xx" not in row) <= 60
    assert rows("short", 60) == [(0, 5)]
    assert rows("", 60) == [(0, 0)]
