"""How long `import ttapi_nb` and the first editor take in a live kernel, beside what any such editor must import.

A kernel has loaded most of the standard library before a user's first cell. Each case is timed in a kernel of its own,
in turn, and the medians are compared as ratios.
"""

from __future__ import annotations

import os
import statistics

from jupyter_client.manager import start_new_kernel

ROUNDS = 7
LIBRARIES = "import ipywidgets, ipycanvas, anywidget"
CASES = {
    LIBRARIES: LIBRARIES,
    "import ttapi_nb": "import ttapi_nb",
    "import ttapi_nb; ttapi_nb.ImageEditor()": "import ttapi_nb; ttapi_nb.ImageEditor()",
}
MOST = 1.2
PATIENCE = 120


def seconds(code: str) -> float:
    """How long `code` takes in the first cell of a new kernel."""
    # Compiled once, as pip compiles what it installs; an editable install is compiled by its first use.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    manager, client = start_new_kernel(startup_timeout=PATIENCE, env=environment)
    said: list[str] = []

    def hear(message: dict[str, dict[str, str]]) -> None:
        said.append(message["content"].get("text", ""))

    try:
        timed = f"import time; start = time.perf_counter(); {code}; print(time.perf_counter() - start)"
        client.execute_interactive(timed, timeout=PATIENCE, output_hook=hear, store_history=False)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return float("".join(said))


def main() -> None:
    """Print the table."""
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS + 1):
        for name, code in CASES.items():
            times[name].append(seconds(code))
    # The first round compiles, and fills the disk's cache.
    medians = {name: statistics.median(found[1:]) for name, found in times.items()}
    print(f"{'':44}{'median':>10}{'ratio':>8}")
    for name, median in medians.items():
        print(f"{name:44}{median * 1000:7.0f} ms{median / medians[LIBRARIES]:8.2f}")
    print(f"The first editor may take {MOST} times what its libraries take.")


if __name__ == "__main__":
    main()
