"""What a pipeline names is read beneath its project's root, or not at all, whatever is in the way."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llm_gc.files import opening
from llm_gc.files.opening import LeadsOut, NotAFile, link_out, locate, names_beneath, project_root, read_beneath

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links take rights there")

MOST = 1000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a file in a folder, beside a secret."""
    (tmp_path / "project" / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "project" / "a").write_text("mine")
    (tmp_path / "project" / "sub" / "b").write_text("mine too")
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "project"


def read(root: Path, name: str, start: str = "", bound: str = "") -> bytes:
    """Read a file by its name as seen from a folder of the project."""
    return read_beneath(root, root / start, name, MOST, bound=root / bound).content


# --- What may be read


@pytest.mark.parametrize(
    ("start", "name"), [("", "a"), ("sub", "../a"), ("sub/deep", "../../a"), ("sub", ".././sub/deep//../../a")]
)
def test_a_file_by_its_name(root: Path, start: str, name: str) -> None:
    """Seen from any folder of the project, also upwards."""
    assert read(root, name, start) == b"mine"


def test_an_absolute_path_within_the_project(root: Path) -> None:
    """It is the same file."""
    assert read(root, str(root / "a"), "sub") == b"mine"


@pytest.mark.parametrize("target", ["../a", "{root}/a", "deep/../../a", "one", "../sub/../sub/one"])
def test_a_link_within_the_project(root: Path, target: str) -> None:
    """Relative, absolute, to another one: each is followed, and the path that is given is the real one."""
    (root / "sub" / "one").symlink_to("../a")
    (root / "sub" / "link").symlink_to(target.format(root=root))
    found = read_beneath(root, root, "sub/link", MOST)
    assert found == (root / "a", b"mine")


def test_a_link_to_a_folder_within_the_project(root: Path) -> None:
    """It is walked through, and ``..`` behind it is seen from where it leads, as the system does it."""
    (root / "deep").symlink_to("sub/deep")
    assert read(root, "deep/../b") == b"mine too"
    assert locate(root, root, "deep") == root / "sub" / "deep"


def test_a_project_that_is_seen_by_a_link(root: Path, tmp_path: Path) -> None:
    """An absolute link that is written by way of a link to the project leads into it."""
    (tmp_path / "other").symlink_to(root)
    (root / "link").symlink_to(tmp_path / "other" / "a")
    assert read(root, "link") == b"mine"


def test_no_more_is_read_than_is_asked_for(root: Path) -> None:
    """One byte more tells that there is more."""
    (root / "a").write_bytes(b"x" * 5000)
    assert len(read_beneath(root, root, "a", 100).content) == 101


def test_a_folder_that_cannot_be_listed(root: Path) -> None:
    """It is enough that its files may be opened."""
    (root / "sub").chmod(0o300)
    assert read(root, "sub/b") == b"mine too"
    (root / "sub").chmod(0o700)


# --- What leads out


@pytest.mark.parametrize(
    ("name", "by_link"),
    [
        ("../secret", False),
        ("sub/../../secret", False),
        ("{outside}/secret", False),
        ("/etc/passwd", False),
        ("/", False),
        ("..", False),
        ("../project/a", False),
        ("out", True),
        ("out-absolute", True),
        ("folder/secret", True),
        ("sub/up/secret", True),
        ("slash/etc/passwd", True),
        ("chain", True),
        ("slash", True),
        ("sub/deep/../up/project/a", True),
    ],
)
def test_what_leads_out(root: Path, name: str, by_link: bool) -> None:
    """By its name, by a link, by a link to a folder, by a link to a link: also where it would come back in again."""
    outside = root.parent
    links: dict[str, str | Path] = {
        "out": "../secret",
        "out-absolute": outside / "secret",
        "folder": outside,
        "sub/up": "../..",
        "slash": "/",
        "chain": "sub/next",
        "sub/next": "../out",
    }
    for link, target in links.items():
        (root / link).symlink_to(target)
    with pytest.raises(LeadsOut) as caught:
        read(root, name.format(outside=outside))
    assert str(caught.value).startswith("is a link" if by_link else "leads out")


def test_a_bound_below_the_root(root: Path) -> None:
    """From the start on nothing may leave the bound, though it were within the root."""
    (root / "sub" / "link").symlink_to("../a")
    (root / "sub" / "absolute").symlink_to(root / "a")
    (root / "sub" / "inside").symlink_to(root / "sub" / "b")
    assert read(root, "inside", "sub", "sub") == b"mine too"
    for name in ("../a", "link", "absolute", str(root / "a")):
        with pytest.raises(LeadsOut):
            read(root, name, "sub", "sub")


def test_a_link_in_the_place_of_the_root(root: Path, tmp_path: Path) -> None:
    """A root is a real path: who puts a link there has it refused."""
    (tmp_path / "link").symlink_to(root)
    with pytest.raises(OSError, match="Not a directory"):
        read(tmp_path / "link", "a")


# --- What is no file


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "kind"), [(_pipe, "a named pipe"), (_socket, "a socket"), (_folder, "a folder")]
)  # fmt: skip
@pytest.mark.parametrize("name", ["x", "link"])
def test_what_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], kind: str, name: str
) -> None:
    """It is not opened, so that nothing waits for anybody; also where a link leads to it."""
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    make(Path("x"))
    Path("link").symlink_to("x")
    with pytest.raises(NotAFile, match=f"^{kind}$"):
        read(tmp_path, name)
    with pytest.raises((NotAFile, OSError)):
        opening.read_file(tmp_path / name)


@pytest.mark.parametrize("name", ["dev/zero", "dev/tty", "dev/stdin", "proc/self/environ", "sys/kernel/uevent_seqnum"])
def test_what_is_the_system_s_own(name: str) -> None:
    """In a container the root may be that of the system; devices and /proc are no files of a project."""
    if not Path("/", name).exists():
        pytest.skip("there is none here")
    with pytest.raises((NotAFile, LeadsOut, OSError)):
        read(Path("/"), name)


@pytest.mark.parametrize("name", ["", "a\0", "\0", "a/b", "x" * 300, "sub/" * 2000 + "b", "\ud800", "nothing"])
def test_names_of_nothing(root: Path, name: str) -> None:
    """They are what the system says of them."""
    with pytest.raises(OSError, match=r"No such file|Not a directory|File name too long"):
        read(root, name)


@pytest.mark.parametrize("target", ["loop", "./loop", "sub/other"])
def test_links_in_a_circle(root: Path, target: str) -> None:
    """They are walked for a while."""
    (root / "loop").symlink_to(target)
    (root / "sub" / "other").symlink_to("../loop")
    with pytest.raises(OSError, match="symbolic links"):
        read(root, "loop")


def test_many_links_within_one_way(root: Path) -> None:
    """So they are where each doubles the way."""
    for number in range(30):
        (root / f"l{number}").symlink_to(f"l{number + 1}/../l{number + 1}")
    (root / "l30").symlink_to("sub")
    with pytest.raises(OSError, match="symbolic links"):
        read(root, "l0/b")


# --- What changes meanwhile


@pytest.mark.parametrize("swapped", ["file", "folder", "start", "pipe"])
def test_what_is_swapped_between_the_look_and_the_opening(
    root: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    """What was looked at is opened without links and looked at once more: a quicker hand gains nothing by it."""
    real, calls = os.open, list[str]()
    (root.parent / "outside").mkdir()
    (root.parent / "outside" / "b").write_text("secret")

    def opened(path: str | Path, flags: int, *more: int, dir_fd: int | None = None) -> int:
        name = str(path)
        calls.append(name)
        if name == "b" and swapped in ("file", "pipe"):
            (root / "sub" / "b").unlink()
            (root / "sub" / "b").symlink_to("../../secret") if swapped == "file" else os.mkfifo(root / "sub" / "b")
        if name == "sub" and swapped in ("folder", "start"):
            (root / "sub").rename(root / "moved")
            (root / "sub").symlink_to("../outside")
        return real(path, flags, *more, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opened)
    start, name = ("sub", "b") if swapped == "start" else ("", "sub/b")
    with pytest.raises((OSError, NotAFile)):
        read(root, name, start)
    assert "sub" in calls


def test_a_start_that_has_left_the_root(root: Path, tmp_path: Path) -> None:
    """It is refused."""
    with pytest.raises(LeadsOut):
        read_beneath(root, tmp_path, "secret", MOST)


def test_nothing_stays_open(root: Path) -> None:
    """Whatever comes of it."""
    before = len(list(Path("/dev/fd").iterdir()))
    (root / "out").symlink_to("../secret")
    for name in ("a", "sub/b", "nothing", "sub/deep", "out", "sub/../../x", "a/b"):
        try:
            read(root, name, "sub/deep/..".partition("/..")[0])
            read(root, name)
        except (OSError, ValueError):
            continue
    assert len(list(Path("/dev/fd").iterdir())) == before


# --- Where a project ends


def test_the_root_of_a_project(tmp_path: Path) -> None:
    """The nearest folder that is marked, else the nearest with prompts, else the folder itself."""
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    assert project_root(deep) == deep
    (tmp_path / "a" / "prompts").mkdir()
    assert project_root(deep) == tmp_path / "a"
    (tmp_path / "pyproject.toml").touch()
    assert project_root(deep) == tmp_path
    (tmp_path / "a" / "b" / ".git").touch()
    assert project_root(deep) == tmp_path / "a" / "b"


def test_the_root_for_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a marked root it is the working directory, but never one in which somebody is at home."""
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "a")
    assert opening.tests_root(deep) == tmp_path / "a"
    monkeypatch.chdir(tmp_path)
    assert opening.tests_root(deep) == deep
    monkeypatch.chdir(deep)
    assert opening.tests_root(tmp_path / "a") == tmp_path / "a"
    (tmp_path / "a" / ".git").touch()
    assert opening.tests_root(deep) == tmp_path / "a"


def test_names_end_somewhere(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither links to folders nor folders without end are walked through."""
    (root / "sub" / "x.j2").touch()
    (root / "slash").symlink_to("/")
    (root / "up").symlink_to("..")
    (tmp_path / "y.j2").touch()
    assert names_beneath(root, (".j2",), 10) == ["sub/x.j2"]
    for number in range(30):
        (root / f"{number:02}.j2").touch()
    assert len(names_beneath(root, (".j2",), 10)) == 10
    monkeypatch.setattr(opening, "MAX_VISITED", 5)
    assert len(names_beneath(root, (".j2",), 1000)) == 30  # one folder is looked at whole


@pytest.mark.parametrize("mark", [True, False])
def test_a_folder_that_is_a_link(root: Path, tmp_path: Path, mark: bool) -> None:
    """One that leads out of the project that it is in, and without a project one that holds the link."""
    for name, target in (("out", ".."), ("slash", "/"), ("in", "sub"), ("aside", "../aside")):
        (root / name).symlink_to(target)
    (tmp_path / "aside").mkdir()
    if mark:
        (root / ".git").touch()
    assert link_out(root / "slash") == Path("/")
    assert link_out(root / "out") == tmp_path
    assert link_out(root / "in") is None
    assert link_out(root / "sub" / ".." / "in") is None
    assert link_out(root) is None
    assert link_out(root / "aside") == (tmp_path / "aside" if mark else None)
    assert link_out(root / "slash" / "etc") == (Path("/etc") if mark else None)
