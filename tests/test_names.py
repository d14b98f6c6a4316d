"""No name of ours hides one of a library's class by accident: what leans on it there would break in ours."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

import ipywidgets
import ipywidgets.embed
import pytest
from PIL import Image

import ttapi_nb
from ttapi_nb import Client, edit
from ttapi_nb.widgets.viewer import ResultViewer

# What a class is meant to give in place of its base's, and why.
MEANT = {
    "__init__": "each class is made in its own way",
    "__new__": "the same",
    "__repr__": "a line for people",
    "__str__": "a sentence for people",
    "__reduce__": "what a pickle holds",
    "set": "what a trait of traitlets does with a value",
    "_repr_png_": "shown by notebooks",
    "_ipython_display_": "shown by notebooks",
    "close": "closes with all that is in it, and calls the base's",
    "add_traits": "see Part",
    "_esm": "anywidget's: the module of a widget",
    "_css": "anywidget's: the style of a widget",
    "_anywidget_id": "anywidget's: the name of a widget",
    "style": "none, see Words",
    "observe": "calls observers when they may wait, and calls the base's",
    "error": "argparse's place for it: ends without a word of what was typed",
    "submit": "concurrent.futures' place for it",
    "shutdown": "concurrent.futures' place for it",
    "startup": "uvicorn's place to say that it listens, and calls the base's",
    "connection_made": "asyncio's place for it, and calls the base's",
    "connection_lost": "the same",
    "data_received": "the same",
    "eof_received": "asyncio's place for it: what the other side asked for is still answered",
    "on_response_complete": "uvicorn's place for it, and calls the base's",
    "pause_writing": "the same",
    "resume_writing": "the same",
    "main_loop": "uvicorn's: waits for the end",
    "send_400_response": "uvicorn's place for it: in words",
    # httpx's transports and streams, and httpcore's lines
    **dict.fromkeys(
        ("connect_tcp", "sleep", "read", "write", "start_tls", "get_extra_info"), "httpcore's place for it"
    ),
    "handle_request": "httpx's place for it",
    "handle_async_request": "httpx's place for it",
    "aclose": "httpx's place for it",
    "__aiter__": "httpx's place for it",
    "__iter__": "httpx's place for it",
}
# Of every Python class, and not inherited in earnest.
SILENT = {
    "__module__",
    "__doc__",
    "__dict__",
    "__weakref__",
    "__annotations__",
    "__slots__",
    "__hash__",
    "__eq__",
}
SILENT |= {
    "__parameters__",
    "__orig_bases__",
    "__abstractmethods__",
    "_abc_impl",
    "_all_trait_default_generators",
}
SILENT |= {
    "_trait_default_generators",
    "_static_immutable_initial_values",
    "_traits",
    "_instance_inits",
    "_descriptors",
}
SILENT |= {
    "_all_trait_default_generators",
    "_is_protocol",
    "__firstlineno__",
    "__static_attributes__",
    "__match_args__",
}
# Made anew for each class or object by the library itself.
LIBRARYS_OWN = {
    "_trait_values",
    "_trait_notifiers",
    "_trait_validators",
    "_cross_validation_lock",
    "_model_id",
    "_holding_sync",
}


def ours() -> list[type]:
    """Every class of the package with a base from elsewhere that is not Python's plainest."""
    found = set()
    for module in pkgutil.walk_packages(ttapi_nb.__path__, "ttapi_nb."):
        if module.name.endswith("__main__"):
            continue
        for _, one in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if one.__module__.startswith("ttapi_nb") and bases_of(one):
                found.add(one)
    return sorted(found, key=lambda one: one.__qualname__)


def bases_of(one: type) -> list[type]:
    """The classes of libraries that a class derives from."""
    plain = (object, Exception, BaseException, ValueError, tuple, str, int)
    return [base for base in one.__mro__ if not base.__module__.startswith("ttapi_nb") and base not in plain]


def names_of(base: type) -> set[str]:
    """What a library's class has of its own."""
    return set(vars(base)) - SILENT


@pytest.mark.parametrize("one", ours(), ids=lambda one: one.__qualname__)
def test_no_class_hides_a_name_of_its_bases(one: type) -> None:
    """What a class of ours defines is new, or meant to take the base's place."""
    theirs = set().union(*map(names_of, bases_of(one)))
    own = set().union(*(set(vars(part)) for part in one.__mro__ if part.__module__.startswith("ttapi_nb")))
    assert (own & theirs) - set(MEANT) - SILENT == set()


def made() -> list[Any]:
    """One of each widget that can be made, with all that is in it, after it has shown a result."""
    fill = lambda image, *_: image  # noqa: E731 - a line says it
    run = edit(Image.new("RGB", (64, 64)), "x", client=Client.offline(fill=fill), log=False, size="1024x1024")
    editor, viewer = ttapi_nb.ImageEditor(Image.new("RGB", (8, 8)), log=False), ResultViewer(run)
    editor._options.unfolded = True
    return [editor, viewer, *within(editor), *within(viewer)]


def within(widget: Any) -> list[Any]:
    """The widgets that a widget's attributes hold."""
    found, waiting = list[Any](), [widget]
    while waiting:
        one = waiting.pop()
        for value in [*vars(one).values(), *getattr(one, "_trait_values", {}).values()]:
            for held in value if isinstance(value, list | tuple) else [value]:
                if type(held).__module__.startswith("ttapi_nb") and not any(held is other for other in found):
                    found.append(held)
                    if hasattr(held, "__dict__"):
                        waiting.append(held)
    return found


def test_no_object_hides_a_name_of_its_bases() -> None:
    """What a widget of ours, keeps in attributes takes the place of nothing of its bases."""
    wrong = {}
    for one in made():
        if bases_of(type(one)) and hasattr(one, "__dict__"):
            theirs = set().union(*map(names_of, bases_of(type(one))))
            fresh = library_object(type(one))
            hidden = (
                {name for name in vars(one) if name in theirs} - set(MEANT) - SILENT - LIBRARYS_OWN - fresh
            )
            if hidden:
                wrong[type(one).__qualname__] = hidden
    assert wrong == {}


def library_object(one: type) -> set[str]:
    """What the library itself keeps in an object of the nearest class of its own."""
    base = bases_of(one)[0]
    if issubclass(base, ipywidgets.Widget) and base is not ipywidgets.Widget:
        with_all = base()
        try:
            return set(vars(with_all))
        finally:
            with_all.close()
    return set()


def test_other_widgets_can_be_exported_after_a_result_was_shown(tmp_path: Any) -> None:
    """A page with a widget that has nothing to do with ours can be written while a viewer of ours lives."""
    made()
    page = tmp_path / "x.html"
    ipywidgets.embed.embed_minimal_html(str(page), views=[ipywidgets.IntSlider()], title="x")
    assert "IntSlider" in page.read_text()
