"""`timeline --export`: wrong use is said before anything is read, and a file is there whole or not at all."""

import os
import resource
import stat
from pathlib import Path

import pytest

import pilestream
from service.errors import ServiceError
from service.evidence_file import check_place, write_whole

NUMBER = "32010600019236012611221430010007"


def wrong_use(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> str:
    """The words for a use that ends with 2, before the (missing) data are looked for."""
    assert pilestream.main(["timeline", NUMBER, "--data", str(folder), *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


@pytest.mark.parametrize("name", ["a.pdf", "a", "a.htm", ".zip"])
def test_another_ending_is_wrong_use_and_the_right_ones_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    words = wrong_use(capsys, tmp_path, "--export", str(tmp_path / name))
    assert "ends with .html" in words and ".zip" in words and name in words
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--export", "a.zip", "--json"), "leave out --json"),
        (("--export", "a.zip", "--all", "--hex"), "leave out --all and --hex"),
        (("--lang", "zh"), "--lang is the language of the page that --export writes"),
        (("--json", "--hex"), "--json --all has the bytes"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    assert said in wrong_use(capsys, tmp_path, *options)


def test_a_missing_folder_is_said_before_anything_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "none" / "a.zip"
    assert pilestream.main(["timeline", NUMBER, "--data", str(tmp_path), "--export", str(target)]) == 1
    assert f"there is no folder {target.parent}" in capsys.readouterr().err
    (tmp_path / "page.html").mkdir()
    with pytest.raises(ServiceError, match="is a folder"):
        check_place(tmp_path / "page.html")


def test_a_file_is_written_with_the_rights_of_any_new_one(tmp_path: Path) -> None:
    plain, written = tmp_path / "plain", tmp_path / "written.zip"
    plain.touch()
    write_whole(written, b"all")
    assert written.read_bytes() == b"all"
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_file_that_is_there_is_replaced_and_keeps_its_rights_and_its_name(tmp_path: Path) -> None:
    real, link = tmp_path / "real.zip", tmp_path / "link.zip"
    real.write_bytes(b"old, and longer")
    real.chmod(0o640)
    link.symlink_to(real)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert (real.read_bytes(), stat.S_IMODE(real.stat().st_mode)) == (b"new", 0o640)


def test_a_failure_leaves_the_old_file_and_nothing_else_and_names_what_was_typed(tmp_path: Path) -> None:
    old = tmp_path / "a.zip"
    old.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large") as failed:
            write_whole(old, bytes(2_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert failed.value.filename == str(old)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    assert old.read_bytes() == b"old"


@pytest.mark.parametrize("linked", [False, True])
def test_what_is_no_regular_file_is_left_as_it_is(tmp_path: Path, linked: bool) -> None:
    pipe = tmp_path / "pipe.html"
    os.mkfifo(pipe)
    typed = tmp_path / "link.html" if linked else pipe
    if linked:
        typed.symlink_to(pipe)
    with pytest.raises(ServiceError, match="no regular file") as told:
        check_place(typed)
    assert str(typed) in str(told.value)
    with pytest.raises(ServiceError, match="no regular file"):
        write_whole(typed, b"new")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert len(list(tmp_path.iterdir())) == 1 + linked


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    taken = tmp_path / "a.zip"
    taken.mkdir()
    with pytest.raises(ServiceError, match="is a folder"):
        write_whole(taken, b"new")
    assert taken.is_dir()


def test_a_link_to_itself_is_said_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loop = tmp_path / "loop.html"
    loop.symlink_to(loop)
    assert pilestream.main(["timeline", NUMBER, "--data", str(tmp_path), "--export", str(loop)]) == 1
    assert f"{loop} is a link that leads back to itself" in capsys.readouterr().err


def test_a_link_into_a_folder_that_is_not_there_names_the_link_and_the_folder(tmp_path: Path) -> None:
    link, missing = tmp_path / "link.html", tmp_path / "none"
    link.symlink_to(missing / "page.html")
    with pytest.raises(ServiceError, match="is no folder") as told:
        check_place(link)
    assert str(link) in str(told.value)
    assert str(told.value).endswith(f"is no folder {missing}")


def test_a_link_to_a_file_that_is_not_there_yet_makes_it(tmp_path: Path) -> None:
    link, page = tmp_path / "link.html", tmp_path / "page.html"
    link.symlink_to(page)
    check_place(link)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert page.read_bytes() == b"new"


def test_a_name_of_any_length_that_the_disk_takes_is_written(tmp_path: Path) -> None:
    longest = tmp_path / f"{'n' * 250}.html"
    check_place(longest)
    write_whole(longest, b"new")
    assert longest.read_bytes() == b"new"
    with pytest.raises(ServiceError, match=r"nn\.html cannot be written: File name too long"):
        check_place(tmp_path / f"{'n' * 251}.html")
