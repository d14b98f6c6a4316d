"""A real JupyterHub on 127.0.0.1, with a class's gateway as its service and the embedded service behind that."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.coarse import loaded_first
from tests.ui.lab import write_page_config

ROOT = Path(__file__).parents[2]
START_SECONDS = 90
CONFIG = """
import sys
c.JupyterHub.ip = "127.0.0.1"
c.JupyterHub.port = {port}
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret_file = "cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.Authenticator.allow_all = True
c.JupyterHub.load_groups = {groups!r}
c.ConfigurableHTTPProxy.command = [sys.executable, {proxy!r}]
c.ConfigurableHTTPProxy.auth_token = "{secret}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.Spawner.args = ["--allow-root"]
c.SimpleLocalProcessSpawner.home_dir_template = {homes!r}
c.Spawner.environment = {{
    "TTAPI_BASE_URL": "http://127.0.0.1:{port}/services/ttapi/v1",
    "TTAPI_DATA": {student!r},
    "PYTHONPATH": {path!r},
    "JUPYTER_CONFIG_DIR": {config!r},
}}
c.JupyterHub.services = [
    {{
        "name": "ttapi",
        "url": "http://127.0.0.1:{service_port}",
        "command": [sys.executable, "-m", "ttapi_nb.cli", "gateway", "--upstream", "embedded", {hubs}],
        "environment": {{"TTAPI_DATA": {teacher!r}, "PYTHONPATH": {path!r}}},
    }}
]
"""


@dataclass(frozen=True)
class RunningHub:
    """A hub that answers, and the folder in which each user has their home by their name."""

    url: str
    homes: Path

    @property
    def service(self) -> str:
        """Where its class's pages are."""
        return f"{self.url}/services/ttapi"


def ports(count: int) -> list[int]:
    """Ports that are free now."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    found = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return found


@contextlib.contextmanager
def running_hub(
    folder: Path, teacher: Path, classes: Sequence[str], groups: dict[str, list[str]]
) -> Iterator[RunningHub]:
    """A hub whose gateway has its ledger in `teacher`; `classes` as `--hub` has them."""
    port, hub_port, proxy_port, service_port = ports(4)
    config = CONFIG.format(
        port=port,
        hub_port=hub_port,
        proxy_port=proxy_port,
        service_port=service_port,
        groups=groups,
        secret=secrets.token_hex(16),
        proxy=str(Path(__file__).parent / "hub_proxy.py"),
        student=str(folder / "students"),
        teacher=str(teacher),
        # First, so that the gateway's service fills coarsely.
        path=os.pathsep.join((loaded_first(folder / "first"), str(ROOT))),
        config=str(folder / "config"),
        homes=str(folder / "homes" / "{username}"),
        hubs=", ".join(f'"--hub", {one!r}' for one in classes),
    )
    (folder / "jupyterhub_config.py").write_text(config)
    write_page_config(folder / "config")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("TT", "JUPYTER", "COV"))
    }
    # The hub looks for its proxy, and for notebook servers, on the path.
    environment = kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"}
    with (folder / "hub.log").open("wb") as log:
        command = [sys.executable, "-m", "jupyterhub", "-f", "jupyterhub_config.py"]
        hub = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{port}/services/ttapi/health", hub, folder / "hub.log")
        yield RunningHub(f"http://127.0.0.1:{port}", folder / "homes")
    finally:
        hub.terminate()
        hub.wait(60)


def _wait_for(url: str, hub: subprocess.Popen[bytes], log: Path) -> None:
    # A hub gives no event when its service is ready: its port is all there is to ask.
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and hub.poll() is None:
        with (
            contextlib.suppress(urllib.error.URLError, ConnectionError),
            urllib.request.urlopen(url, timeout=5) as answer,
        ):
            if b'"ok"' in answer.read():
                return
        time.sleep(0.2)
    raise RuntimeError(f"JupyterHub did not start:\n{log.read_text()[-4000:]}")
