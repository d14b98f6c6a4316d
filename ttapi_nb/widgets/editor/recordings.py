"""What a replaying client's recording holds, to be filled in by one click."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from ...lineage import Step
from ...picture import SourceImage
from ...text import one_line
from .filling import at_hand, fill_in

if TYPE_CHECKING:
    from ...client import Client
    from .editor import ImageEditor

__all__ = ["Recordings"]


class Recordings:
    """`shown` fills an editor in as it was when the recording was made; None where its client replays none with masks.

    A button does so with the first, and where there are several a list with the one that is chosen.
    """

    def __init__(self, editor: ImageEditor, client: Client, layout: ipywidgets.Layout) -> None:
        self._editor = editor
        self._steps = tuple(one.step for one in client.recorded if one.step is not None)
        self._at = 0
        self.shown: ipywidgets.Widget | None = None
        if not self._steps:
            return
        button = ipywidgets.Button(
            description="Recorded", tooltip="Fill in what was recorded: photo, prompt, options and mask"
        )
        button.on_click(lambda _: self._fill(self._steps[self._at]))
        parts: list[ipywidgets.Widget] = [button]
        if len(self._steps) > 1:
            names = [(f"{at + 1} · {one_line(step.prompt, 50)}", at) for at, step in enumerate(self._steps)]
            choice = ipywidgets.Dropdown(options=names, value=0, tooltip="Recording")
            choice.observe(self._chosen, "value")
            parts.append(choice)
        self.shown = ipywidgets.HBox(parts, layout=layout, _dom_classes=("ttapi-recordings",))

    def _chosen(self, change: Any) -> None:
        self._at = change.new
        self._fill(self._steps[self._at])

    def _fill(self, step: Step) -> None:
        source = at_hand(step.source, self._editor.image)
        fill_in(self._editor, step, source)
        self._editor._restored.say(words_of_recording(step, source), "notice")


def words_of_recording(step: Step, source: SourceImage | None) -> str:
    """What is said when a recording was filled in."""
    if source is None:
        return (
            f"Prompt and options are those that were recorded. The photo, {step.source.name!r}, is not at hand: open "
            "it, and press Recorded once more for the mask."
        )
    if step.mask_digest and step.mask is None:
        return "Photo, prompt and options are those that were recorded. The mask was too large to be kept."
    return "Photo, mask, prompt and options are those that were recorded. Run replays it."
