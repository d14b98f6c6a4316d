"""Widgets found as a person finds them: by what is written on them, and used as a browser uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import ipywidgets
from ipywidgets.widgets.widget import _instances

from ttapi_nb.widgets.drawer import Stage
from ttapi_nb.widgets.text import Words

# Where a widget can have words of its own. A list's `label` is what is chosen in it.
WRITTEN = ("description", "tooltip", "placeholder", "label")


def controls(root: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """All widgets within `root`, hidden or not, itself too."""
    yield root
    for child in getattr(root, "children", ()):
        if isinstance(child, ipywidgets.Widget):
            yield from controls(child)


def shown(root: Any) -> Iterator[ipywidgets.Widget]:
    """Those widgets within `root` that a person sees: neither hidden nor folded, and in nothing that is."""
    if root.layout.display == "none":
        return
    yield root
    for at, child in enumerate(getattr(root, "children", ())):
        if not isinstance(root, ipywidgets.Accordion) or root.selected_index == at:
            yield from shown(child)


def labels_of(widget: Any) -> set[str]:
    """What is written on a widget, also while the pointer is over it or nothing was typed."""
    names = [name for name in WRITTEN if name != "label" or not hasattr(widget, "options")]
    own = {str(getattr(widget, name)) for name in names if getattr(widget, name, "")}
    # What Run will cost is written behind its name.
    own |= {"Run"} if any(re.match(r"Run\b.* · ", one) for one in own) else set()
    return own | set(widget.titles if isinstance(widget, ipywidgets.Accordion) else ())


def has(root: ipywidgets.Widget, label: str) -> bool:
    """Whether there is a control with this written on it, shown or not."""
    return any(label in labels_of(one) for one in controls(root))


def sees(root: ipywidgets.Widget, label: str) -> bool:
    """Whether a control with this written on it is shown."""
    return any(label in labels_of(one) for one in shown(root))


def labelled(root: ipywidgets.Widget, label: str) -> Any:
    """The one control with this written on it."""
    found = [one for one in controls(root) if label in labels_of(one)]
    assert len(found) == 1, f"{len(found)} controls are labelled {label!r}"
    return found[0]


def click(button: Any) -> None:
    """Press a button as the browser does."""
    message(button, {"event": "click"})


def press(root: ipywidgets.Widget, label: str) -> None:
    """Press the button with this written on it, which must be there to be pressed."""
    assert sees(root, label), f"{label!r} is not shown"
    button = labelled(root, label)
    assert not button.disabled, f"{label!r} is disabled"
    click(button)


def of_kind(root: ipywidgets.Widget, kind: type) -> Any:
    """The one widget of this class within `root`."""
    found = [one for one in controls(root) if isinstance(one, kind)]
    assert len(found) == 1, f"{len(found)} widgets are a {kind.__name__}"
    return found[0]


def sentences(root: ipywidgets.Widget, tone: str | None = None) -> tuple[str, ...]:
    """What is said within `root` where a person sees it, in this tone or in any."""
    found: list[tuple[str, str]] = []
    for one in shown(root):
        if isinstance(one, Words):
            found += [(one.tone, words) for words in one.words]
        elif isinstance(one, Stage):
            found += [(kind, words) for kind, words in (("alert", one.problem), ("quiet", one.hint)) if words]
    return tuple(words for kind, words in found if tone in (None, kind))


def said(root: ipywidgets.Widget, tone: str | None = None) -> str:
    """As `sentences`, as one text."""
    return " ".join(sentences(root, tone))


def message(widget: Any, content: Any, *buffers: bytes) -> None:
    """What a browser sends to a widget, and the bytes that go with it."""
    widget._handle_custom_msg(content, [memoryview(data) for data in buffers])


def living() -> dict[str, ipywidgets.Widget]:
    """Every widget that is not closed, by its id."""
    return dict(_instances)
