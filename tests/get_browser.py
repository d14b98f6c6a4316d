"""Finds a Chromium or Chrome for the browser tests; run as a script, it gets one where none is there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

# The first is Chromium without the windows that nobody sees here, and takes a quarter less of the processor.
ON_PATH = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
DEBIAN_PACKAGES = ("chromium-headless-shell", "chromium")
ON_MACOS = (
    "Google Chrome.app/Contents/MacOS/Google Chrome",
    "Chromium.app/Contents/MacOS/Chromium",
)
ON_WINDOWS = ("Google/Chrome/Application/chrome.exe", "Chromium/Application/chrome.exe")

# A person on a slow line may wait; in CI a download that never answers must not use up the time.
DOWNLOAD_SECONDS = 120 if os.environ.get("CI") else 1800
APT_SECONDS = 600

NOT_FOUND = (
    "The browser tests need Chromium or Google Chrome, and none is here: install one (Debian: apt-get install"
    " chromium; macOS: brew install --cask google-chrome; Windows: winget install Google.Chrome), or set"
    " TTAPI_TEST_BROWSER to the path of one."
)


def find_browser() -> str | None:
    """Returns the path of a browser that starts, or None.

    TTAPI_TEST_BROWSER, where set, is the only one considered: a choice that fails must not go unnoticed.
    """
    chosen = os.environ.get("TTAPI_TEST_BROWSER")
    candidates = [chosen] if chosen else [*ON_PATH, *_usual_places()]
    for candidate in candidates:
        path = shutil.which(candidate)
        if path and _starts(path):
            return path
    return None if chosen else _downloaded_by_playwright()


def main() -> int:
    """Finds a browser, or gets one; returns the exit code."""
    chosen = os.environ.get("TTAPI_TEST_BROWSER")
    browser = find_browser()
    if chosen and browser is None:
        print(f"TTAPI_TEST_BROWSER names {chosen}, which does not start.", file=sys.stderr)
        return 1
    for get in (_get_from_debian, _get_from_playwright):
        if browser is None and get():
            browser = find_browser()
    if browser is None:
        print(NOT_FOUND, file=sys.stderr)
        return 1
    print(f"Browser for the tests: {browser}")
    return 0


def _usual_places() -> list[str]:
    """Where macOS and Windows put their programs, which are not on PATH there."""
    if sys.platform == "darwin":
        folders = [Path("/Applications"), Path.home() / "Applications"]
        return [str(folder / name) for folder in folders for name in ON_MACOS]
    if sys.platform == "win32":
        variables = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
        folders = [Path(os.environ[name]) for name in variables if name in os.environ]
        return [str(folder / name) for folder in folders for name in ON_WINDOWS]
    return []


def _starts(path: str) -> bool:
    """Whether the program runs: Ubuntu's chromium-browser may be a stub, a download may lack libraries."""
    if sys.platform == "win32":
        return True  # Chrome opens a window there, whatever it is asked.
    try:
        asked = subprocess.run([path, "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def _downloaded_by_playwright() -> str | None:
    """The Chromium of Playwright's own, if it was downloaded before."""
    # In a process of its own: Playwright's sync API refuses to start twice, and a caller may have it running.
    code = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as playwright: print(playwright.chromium.executable_path)"
    )
    try:
        asked = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    path = asked.stdout.strip()
    return path if path and Path(path).exists() and _starts(path) else None


def _get_from_playwright() -> bool:
    """Downloads Playwright's Chromium."""
    return _run([sys.executable, "-m", "playwright", "install", "chromium"], DOWNLOAD_SECONDS)


def _get_from_debian() -> bool:
    """Installs Debian's Chromium, where we may."""
    if not shutil.which("apt-get") or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    # Another apt may hold the lock, as on a machine that has just started.
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"]
    return _run([*apt, "update"], APT_SECONDS) and any(
        _run([*apt, "install", "-y", package], APT_SECONDS) for package in DEBIAN_PACKAGES
    )


def _run(command: list[str], seconds: float) -> bool:
    """Runs a command and says so; past its time, ends it with all that it started."""
    print("$", *command, flush=True)
    # Its own session, since Playwright's download runs in a grandchild that would outlive a mere child.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait(timeout=seconds) == 0
    except subprocess.TimeoutExpired:
        print(f"No end after {seconds:.0f} seconds: stopped.", file=sys.stderr)
        return False
    finally:
        if process.poll() is None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and its children."""
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    sys.exit(main())
