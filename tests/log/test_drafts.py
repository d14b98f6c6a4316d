"""Drafts of masks beside a log: kept privately, found again, bounded, and never a way to somebody else's files."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from ttapi_nb import Mask, RunLog
from ttapi_nb.log.drafts import LARGEST, MOST, Drafts

DIGEST = "a" * 64
SIZE = (60, 40)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a log may be."""
    return tmp_path / "log"


def painted(x: int = 10) -> Mask:
    """A mask with something on it."""
    return Mask(SIZE).rectangle((x, 10, 30, 30))


def test_a_mask_is_found_again(folder: Path) -> None:
    """By the photo's digest and size, mark by mark; the later of two has the last word, and it can be let go."""
    drafts = Drafts(folder)
    assert drafts.find(DIGEST, SIZE) is None
    assert drafts.keep(DIGEST, painted())
    assert Drafts(folder).keep(DIGEST, painted(5))
    found = drafts.find(DIGEST, SIZE)
    assert found is not None
    assert (found.mask, found.mask.marks) == (painted(5), painted(5).marks)
    assert drafts.find("b" * 64, SIZE) is None
    assert drafts.find(DIGEST, (61, 40)) is None
    drafts.forget(DIGEST)
    assert drafts.find(DIGEST, SIZE) is None


def test_only_its_owner_reads_it(folder: Path) -> None:
    """Folder and file are closed to others, and a log is made beside them as ever."""
    Drafts(folder).keep(DIGEST, painted())
    places = [folder, folder / "drafts", folder / "drafts" / DIGEST]
    assert [stat.S_IMODE(path.lstat().st_mode) & 0o077 for path in places] == [0, 0, 0]
    assert RunLog(folder).rows() == []
    (folder / "drafts" / f".{'0' * 32}.part").touch()
    assert RunLog(folder).totals().runs == 0
    assert Drafts(folder).find(DIGEST, SIZE) is not None


def test_they_are_few_and_small(folder: Path) -> None:
    """The oldest go when there are too many, and what is too large is not kept."""
    drafts = Drafts(folder)
    for number in range(MOST + 3):
        drafts.keep(f"{number:064x}", painted())
        os.utime(folder / "drafts" / f"{number:064x}", (number, number))
    drafts.keep(DIGEST, painted())
    assert len(list((folder / "drafts").iterdir())) == MOST
    assert drafts.find(f"{3:064x}", SIZE) is None
    large = painted()
    for _ in range(30):
        large = large.paint([(at % 60 + 0.123456789, 20.123456789) for at in range(2_000)], radius=3)
    assert len(large.to_json()) > LARGEST
    assert not drafts.keep(DIGEST, large)
    found = drafts.find(DIGEST, SIZE)
    assert found is not None
    assert found.mask == painted()


def test_pruning_lets_them_go(folder: Path) -> None:
    """What the history is rid of leaves no masks behind; making room alone leaves them."""
    drafts, log = Drafts(folder), RunLog(folder)
    drafts.keep(DIGEST, painted())
    log.prune(limit_bytes=0)
    log.prune(older_than=1)
    assert drafts.find(DIGEST, SIZE) is not None
    log.prune(keep=0)
    assert drafts.find(DIGEST, SIZE) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 9999,
        json.dumps({"version": 2, "time": 1, "mask": painted().to_json()}),
        json.dumps({"version": 1, "time": "x", "mask": painted().to_json()}),
        json.dumps({"version": 1, "time": 1e300, "mask": painted().to_json()}),
        json.dumps({"version": 1, "time": 1, "mask": "{}"}),
        json.dumps({"version": 1, "time": 1, "mask": 7}),
        json.dumps({"version": 1, "time": 1, "mask": Mask(SIZE).to_json()}),
        json.dumps({"version": 1, "time": 1, "mask": Mask((9000, 9000)).to_json()}),
    ],
)
def test_what_is_no_draft(folder: Path, text: str) -> None:
    """A file that says something else is as if it were not there."""
    drafts = Drafts(folder)
    drafts.keep(DIGEST, painted())
    (folder / "drafts" / DIGEST).write_text(text)
    assert drafts.find(DIGEST, SIZE) is None


@pytest.mark.parametrize("name", ["../runs.sqlite3", "", "a" * 63, f"{'a' * 64}/x"])
def test_a_digest_is_no_path(folder: Path, name: str) -> None:
    """Only a digest is taken for one."""
    assert not Drafts(folder).keep(name, painted())
    assert Drafts(folder).find(name, SIZE) is None


def test_links_lead_nowhere(tmp_path: Path, folder: Path) -> None:
    """Neither a folder nor a file that is a link is read, written or emptied."""
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / DIGEST).write_text("mine")
    folder.mkdir()
    (folder / "drafts").symlink_to(thesis)
    drafts = Drafts(folder)
    assert not drafts.keep(DIGEST, painted())
    drafts.forget(DIGEST)
    (folder / "drafts").unlink()
    (folder / "drafts").mkdir()
    (folder / "drafts" / DIGEST).symlink_to(thesis / DIGEST)
    assert not drafts.keep(DIGEST, painted())
    assert drafts.find(DIGEST, SIZE) is None
    assert (thesis / DIGEST).read_text() == "mine"
