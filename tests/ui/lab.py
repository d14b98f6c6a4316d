"""JupyterLab for the browser tests: started on 127.0.0.1 with settings of its own, and stopped again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.get_browser import find_browser
from tests.support.coarse import coarsely

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
START_SECONDS = 120
# What moves on the screen until it is there, the menu of formats to save as, for which each page has the server look
# through all that is installed, and what no editor, notebook or output has to do with: a quarter of each page's time.
DISABLED = dict.fromkeys(
    (
        "@jupyterlab/apputils-extension:splash",
        "@jupyterlab/notebook-extension:export",
        *(
            f"@jupyterlab/{name}-extension"
            for name in (
                "console", "csvviewer", "debugger", "extensionmanager", "fileeditor", "help", "htmlviewer",
                "imageviewer", "inspector", "launcher", "logconsole", "lsp", "mermaid", "metadataform",
                "pluginmanager", "running", "settingeditor", "terminal", "workspace",
            )
        ),
        "@jupyterlab/property-inspector",
        "@jupyter-notebook/lab-extension",
        "@voila-dashboards/jupyterlab-preview",
    ),
    True,
)  # fmt: skip


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, the folder it serves, and where its kernels keep their run log.

    What lies in `static` it serves as it is, under `/static/`.
    """

    url: str
    folder: Path
    data: Path
    static: Path

    def address(self, name: str, workspace: str) -> str:
        """Where a notebook is opened in a workspace that knows of no open one."""
        return f"{self.url}/lab/workspaces/{workspace}/tree/{name}?reset"


@contextlib.contextmanager
def running_lab(folder: Path, *, dark: bool = False, coarse: bool = True) -> Iterator[Lab]:
    """JupyterLab on a copy of the notebooks, with the embedded service and nothing of the user's settings.

    `coarse` has the service fill coarsely.
    """
    work, settings, static = folder / "work", folder / "settings", folder / "static"
    static.mkdir()
    shutil.copytree(NOTEBOOKS, work, ignore=shutil.ignore_patterns("*.py", "__pycache__", ".*"))
    _write_settings(settings, dark)
    write_page_config(folder / "config")
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    # For those who hand a kernel on.
    (startup / "environment.py").write_text("import os\nos.at_start = dict(os.environ)\ndel os\n")
    if coarse:
        (startup / "coarse.py").write_text(coarsely())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Its kernels are not measured: that takes as long as all that an editor does when it is opened, and what only a
    # browser can reach of the package is JavaScript.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment = kept | {
        "TTAPI_OFFLINE": "1",
        "TTAPI_DATA": str(folder / "data"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.root_dir={work}",
        "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
        "--IdentityProvider.token=", "--ServerApp.password=", "--LabApp.extension_manager=readonly",
        f"--ServerApp.extra_static_paths={static}",
    ]  # fmt: skip
    with (folder / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api", server, folder / "lab.log")
        yield Lab(f"http://127.0.0.1:{port}", work, folder / "data", static)
    finally:
        server.terminate()
        server.wait(30)


def _write_settings(folder: Path, dark: bool) -> None:
    apputils = folder / "@jupyterlab" / "apputils-extension"
    apputils.mkdir(parents=True)
    (apputils / "notification.jupyterlab-settings").write_text(
        json.dumps({"fetchNews": "false", "checkForUpdates": False})
    )
    theme = "JupyterLab Dark" if dark else "JupyterLab Light"
    (apputils / "themes.jupyterlab-settings").write_text(json.dumps({"theme": theme}))


def write_page_config(folder: Path) -> None:
    """Have the pages of a server that has its configuration in `folder` load no more than a notebook needs."""
    # Each page asks whether JupyterLab should be built again, for which the server starts Node: half a second. And
    # tests that share a page open their notebooks by its commands.
    path = folder / "labconfig" / "page_config.json"
    path.parent.mkdir(parents=True)
    path.write_text(
        json.dumps({"buildCheck": False, "exposeAppInBrowser": True, "disabledExtensions": DISABLED})
    )


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    # A server gives no event when it is ready: its port is all there is to ask.
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        with (
            contextlib.suppress(urllib.error.URLError, ConnectionError),
            urllib.request.urlopen(url, timeout=5),
        ):
            return
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


@contextlib.contextmanager
def running_browser(*more: str) -> Iterator[Browser]:
    """The browser that `tests/get_browser.py` finds, without a window; `more` are options of Chromium's."""
    with sync_playwright() as playwright, launched(playwright, *more) as browser:
        yield browser


@contextlib.contextmanager
def launched(playwright: Playwright, *more: str) -> Iterator[Browser]:
    """The same where a process has its Playwright, of which there can be only one."""
    path = find_browser()
    if path is None:
        raise RuntimeError("There is no browser for the tests. Get one with: python tests/get_browser.py")
    # As root, which containers are, Chromium has no sandbox to start.
    browser = playwright.chromium.launch(
        executable_path=path,
        args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", *more],
    )
    yield browser
    browser.close()
