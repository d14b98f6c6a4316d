"""The report's page: its script and style are named by their hashes in its policy, so that nothing else in it can run.

All that users or the service wrote stands in one block of JSON, in which no tag can begin or end, and gets into the
page as text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import ResultError
from ...files import replacing

__all__ = ["script_of", "text_of", "write_report"]

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; img-src data:; script-src '{script}'; style-src '{style}'; connect-src 'none'; "
    "base-uri 'none'; form-action 'none'"
)
HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<noscript>This report is shown by a script that is in this file. Allow it, and open the file again.</noscript>
<main id="report" class="ttapi-report"></main>
<script type="application/json" id="told">{told}</script>
<script type="application/json" id="pictures">["""
TAIL = """]</script>
<script>{script}</script>
</body>
</html>
"""


def write_report(path: Path, told: Mapping[str, Any], pictures: Iterator[bytes]) -> Path:
    """Write the page with what is `told`, and its `pictures` (WEBP files) one by one. Raises `ResultError`."""
    script, style = script_of() + text_of("page.js"), text_of("report.css")
    policy = POLICY.format(script=_hash(script), style=_hash(style))
    title = html.escape(str(told["name"]))
    try:
        with replacing(path) as file:
            head = HEAD.format(policy=html.escape(policy), title=title, style=style, told=_json(told))
            file.write(head.encode())
            for number, picture in enumerate(pictures):
                encoded = base64.b64encode(picture).decode()
                file.write(f'{"," if number else ""}"{encoded}"\n'.encode())
            file.write(TAIL.format(script=script).encode())
    except OSError as error:
        why = error.strerror or type(error).__name__
    else:
        return path
    raise ResultError(f"{str(path)!r:.200} could not be written ({why}). Choose another place.")


def script_of() -> str:
    """The script of what shows an experiment, `Report`, for whoever puts that into a page."""
    return text_of("report.js")


def text_of(name: str) -> str:
    """The text of a file beside this one."""
    return (HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _json(told: Mapping[str, Any]) -> str:
    # ASCII, and without what could begin or end a tag, a comment or a reference.
    text = json.dumps(told, ensure_ascii=True, allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
