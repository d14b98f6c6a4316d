"""The key, canary by canary: every way an edit can fail, and every place where something is left of it.

Prints a line for each fault and a total; ends with 1 where any place had the key.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

import nbclient
import nbconvert
import nbformat

# So that the script also runs by its path.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.canary import FAULTS, KEY, PLACES, after
from tests.server import Server, fail, html_reply, json_reply

FAILURES = ("dropped", "half sent", "half answered", "500", "504", "200 failed")
NOTEBOOK = """
import json, os
import ttapi_nb as tt
photo = tt.sample()
client = tt.Client(base_url=os.environ["BASE_URL"], timeout=20)
editor = tt.ImageEditor(photo, client=client, prompt="x")
editor
---
%xmode {mode}
---
editor.run()
---
editor.run().wait(30)
---
client.images.edit(image=photo, prompt="x")
---
tt.edit(photo, "x", client=client)
---
client
---
tt.Client(wire="xml")
"""


def faults() -> tuple[int, int]:
    """Checks done and hits, of the faults by the places."""
    hits = 0
    for fault in FAULTS:
        began = time.monotonic()
        # A cancelled run still keeps its answer when that comes, perhaps as its folder goes.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            left = after(fault, Path(folder))
        found = left.hits()
        hits += len(found)
        seconds = time.monotonic() - began
        print(
            f"  {fault:24} {left.posts} POSTs  {len(PLACES):3} places  {len(found)} hits  {seconds:.1f} s {found or ''}"
        )
    return len(FAULTS) * len(PLACES), hits


def notebooks() -> tuple[int, int]:
    """Checks done and hits, of notebooks that a program runs: what is saved, exported and kept by IPython."""
    done = hits = 0
    for number, failure in enumerate((*FAILURES, "401", "403 page")):
        with Server() as server, tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if failure == "401":
                server.answer = json_reply({"error": f"wrong key {KEY}"}, 401)
            elif failure == "403 page":
                server.answer = html_reply(403)
            else:
                fail(server, failure)  # type: ignore[arg-type]  # one of the names above
            texts = _notebook(folder, server.url, ("Verbose", "Context")[number % 2])
        found = [place for place, text in texts.items() if KEY.encode() in text]
        done += len(texts)
        hits += len(found)
        print(f"  notebook, {failure:14} {len(texts):3} places  {len(found)} hits {found or ''}")
    return done, hits


def _notebook(folder: Path, base_url: str, mode: str) -> dict[str, bytes]:
    cells = [nbformat.v4.new_code_cell(cell.strip()) for cell in NOTEBOOK.format(mode=mode).split("---")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    environment = os.environ | {
        "TT_API_KEY": KEY,
        "BASE_URL": base_url,
        "TTAPI_DATA": str(folder / "data"),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    environment.pop("TTAPI_OFFLINE", None)
    client = nbclient.NotebookClient(
        notebook, allow_errors=True, timeout=120, resources={"metadata": {"path": folder}}
    )
    client.execute(env=environment)
    saved = folder / "saved.ipynb"
    nbformat.write(notebook, saved)
    outputs = json.dumps([cell.get("outputs") for cell in notebook.cells])
    assert "ename" in outputs, "nothing failed in the notebook"
    pages = {
        f"exported as {exporter.__name__}": exporter().from_notebook_node(notebook)[0].encode()
        for exporter in (nbconvert.HTMLExporter, nbconvert.MarkdownExporter, nbconvert.ScriptExporter)
    }
    kept = b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    state = json.dumps(notebook.metadata.get("widgets", {})).encode()
    return pages | {
        "saved notebook": saved.read_bytes(),
        "widget state": state,
        "outputs": outputs.encode(),
        "every file left, history among them": kept,
    }


def main() -> int:
    """Run all of it."""
    warnings.simplefilter("ignore")
    os.environ.pop("TTAPI_OFFLINE", None)
    checks, hits = map(sum, zip(faults(), notebooks(), strict=True))
    print(f"The key: {len(FAULTS)} faults, {checks} checks, {hits} hits")
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main())
