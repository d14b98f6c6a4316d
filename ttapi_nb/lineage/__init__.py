"""What made a picture, step by step: written into each result that is saved, and read back from it.

It travels as one JSON text (see `metadata` for where in the file), so Pillow alone can read it:
`json.loads(Image.open("sofa.png").text["ttapi_nb"])`. It holds no key, no address, no path and nothing of the camera.
A lineage is a note and no proof: whoever can write the file can write the note.
"""

from __future__ import annotations

from .drawing import MASK_CAP, drawing_of, drawn, is_drawable, mask_of
from .lineage import FORMAT, Lineage, lineage_of, next_lineage, step_of, step_text
from .opening import OpenedResult, find_source, open_result
from .step import Origin, Step, bare_name
from .written import STEPS_CAP

__all__ = [
    "FORMAT",
    "MASK_CAP",
    "STEPS_CAP",
    "Lineage",
    "OpenedResult",
    "Origin",
    "Step",
    "bare_name",
    "drawing_of",
    "drawn",
    "find_source",
    "is_drawable",
    "lineage_of",
    "mask_of",
    "next_lineage",
    "open_result",
    "step_of",
    "step_text",
]
