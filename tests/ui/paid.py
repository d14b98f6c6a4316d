"""An editor in the browser whose runs go to a server of the test's own, with a key, as billed ones would."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from tests.canary import KEY
from tests.server import Server


def paid_editor(server: Server, folder: Path, *, timeout: float = 60.0) -> str:
    """A cell that shows such an editor. The key is in a file: nobody types one into a cell."""
    key = folder / "key"
    key.touch(0o600)
    key.write_text(KEY)
    return (
        f"import os\n"
        f"os.environ.pop('TTAPI_OFFLINE', None)\n"
        f"os.environ['TT_API_KEY_FILE'] = {str(key)!r}\n"
        f"import ttapi_nb as tt\n"
        f"log = tt.RunLog({str(folder / 'log')!r})\n"
        f"client = tt.Client(base_url={server.url!r}, timeout={timeout})\n"
        f"editor = tt.ImageEditor(tt.sample(), client=client, prompt='a bowl', log=log)\n"
        f"editor"
    )


Item = TypeVar("Item")


def sample_of(items: Sequence[Item], every: int) -> tuple[Item, ...]:
    """Every so-manieth of them; all where `make trust` asks for the whole."""
    return tuple(items[:: 1 if os.environ.get("WHOLE") == "1" else every])
