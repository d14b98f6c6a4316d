"""How large a notebook becomes that keeps ten results with all widget state, as nbclient and papermill store it.

Once from the editor with the sample, and once from a viewer with results of noise, which no file format packs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks._bench import Table

RESULTS, MOST = 10, 0.5
EDITOR = (
    "import threading, ttapi_nb as tt\n"
    "client = tt.Client.offline(fill=lambda image, mask, prompt, seed: image.rotate(90 * seed))\n"
    "editor = tt.ImageEditor(tt.sample(), client=client, log=False)\neditor",
    "editor.mask = tt.Mask(editor.image.size).ellipse((250, 305, 775, 785))\n"
    f"editor.prompt, editor.options = 'a blue bowl', {{'n': {RESULTS}}}\n"
    "shown = threading.Event()\n"
    "editor.viewer.observe(lambda change: shown.set(), 'run')\n"
    "editor.run().wait()\n"
    f"assert shown.wait(60) and len(editor.results) == {RESULTS}",
)
VIEWER = (
    "import numpy as np, ttapi_nb as tt\nviewer = tt.ResultViewer()\nviewer",
    "noise = np.random.default_rng(3).integers(0, 256, (1024, 1024, 3), np.uint8)\n"
    "client = tt.Client.offline(fill=lambda image, mask, prompt, seed: image)\n"
    "mask = tt.Mask((1024, 1024)).rectangle((200, 200, 800, 800))\n"
    f"viewer.run = tt.edit(noise, 'a bowl', mask=mask, n={RESULTS}, client=client, log=False)",
)


def saved(cells: tuple[str, ...]) -> tuple[int, str]:
    """The bytes of such a notebook after a kernel ran it, and which of its widgets weigh most."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    done = NotebookClient(book, kernel_name="python3", timeout=120).execute()
    state: dict[str, Any] = done.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    weights: dict[str, int] = {}
    for one in state.values():
        name = str(one["state"].get("_anywidget_id") or one["model_name"]).rpartition(".")[2]
        weights[name] = weights.get(name, 0) + len(json.dumps(one))
    outputs = sum(len(json.dumps(cell.outputs)) for cell in done.cells)
    heavy = sorted(weights.items(), key=lambda one: -one[1])[:5]
    told = ", ".join(f"{name} {weight / 1e3:.0f}" for name, weight in (("outputs", outputs), *heavy))
    return len(nbformat.writes(done)), f"kB: {told}"


def main() -> int:
    """Print the table."""
    table = Table("A saved notebook")
    for name, cells in (("noise in a viewer", VIEWER), ("the sample in an editor", EDITOR)):
        size, told = saved(cells)
        # The photo's own preview is in an editor's state, so that it is on the screen at once; it is there without a
        # result too.
        empty, _ = saved(cells[:1])
        what = size - empty if cells is EDITOR else size
        note = f"{size / 1e6:.2f} MB in all, and {empty / 1e6:.2f} without a result; {told}"
        table.count(f"{RESULTS} results with widget state, {name}", what / 1e6, MOST, "MB", note=note)
    return table.finish()


if __name__ == "__main__":
    sys.exit(main())
