"""`ttapi-nb lab` opens a notebook in JupyterLab, `serve` runs the embedded service for others, `key` keeps the key,
`generate` makes a picture of words, `experiment` carries out a plan of many edits.
"""

from __future__ import annotations

from .calling import main

__all__ = ["main"]
