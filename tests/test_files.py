"""Files are whole at every moment, and private where they should be."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from ttapi_nb import files


def mode(path: Path) -> int:
    """A file's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_gets_what_the_umask_allows(tmp_path: Path) -> None:
    """A file that was not there has its data and the mode that any program's new file has."""
    plain = tmp_path / "plain"
    plain.touch()
    files.write(tmp_path / "new", b"data")
    assert (tmp_path / "new").read_bytes() == b"data"
    assert mode(tmp_path / "new") == mode(plain)


@pytest.mark.parametrize("kept", [0o600, 0o664, 0o755])
def test_an_old_files_mode_is_kept(tmp_path: Path, kept: int) -> None:
    """Whatever the umask is, a file that is written over keeps its mode."""
    path = tmp_path / "old"
    path.write_bytes(b"old")
    path.chmod(kept)
    files.write(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == kept


def test_a_private_file_is_its_owners_alone(tmp_path: Path) -> None:
    """A private file, and a private folder, can't be read by others, nor could they before."""
    folder = tmp_path / "a" / "b"
    files.make_private_folder(folder)
    files.write(folder / "key", b"x", private=True)
    assert (mode(folder), mode(folder / "key")) == (0o700, 0o600)
    open_folder = tmp_path / "open"
    open_folder.mkdir(mode=0o755)
    files.make_private_folder(open_folder)
    assert mode(open_folder) == 0o700


@pytest.mark.parametrize(("place", "call"), [(os, "fsync"), (Path, "replace")])
def test_where_writing_fails_the_old_file_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: object, call: str
) -> None:
    """A full disk leaves the old file, and nothing beside it."""
    path = tmp_path / "old"
    path.write_bytes(b"old")

    def full(*args: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(place, call, full)
    with pytest.raises(OSError, match="No space"):
        files.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Writing through a link replaces what it leads to."""
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    files.write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_device_is_written_to_as_it_is() -> None:
    """What is no regular file is not replaced by one."""
    files.write(Path(os.devnull), b"new")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_folders_above_a_private_one(tmp_path: Path) -> None:
    """Folders that are made on the way are their owner's alone too; those that are there stay as they are."""
    tmp_path.chmod(0o755)
    files.make_private_folder(tmp_path / "a" / "b")
    assert [mode(one) for one in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")] == [0o755, 0o700, 0o700]
