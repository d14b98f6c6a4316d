"""What takes most of an edit's time, done coarsely in tests: in this process by `tests/conftest.py`, in others by code
that they run first.
"""

from __future__ import annotations

from pathlib import Path

import pytest

__all__ = ["coarsely", "loaded_first", "make_coarse"]

# By module and name: the sides, in pixels, at which the embedded service fills and paints at most, and a leak is looked
# at.
SIDES = {
    "ttapi_nb.service.paint": {"WORK_SIZE": 64, "BRUSH_SIZE": 128},
    "ttapi_nb.fit.leak": {"LOOK": 256},
}

# In a kernel these are names of whoever uses it, who may forget them.
CODE = """
class Coarse:
    sides = {sides}
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        sides = cls.sides.pop(name, None)
        if sides is None:
            return None
        import importlib.util
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        def loaded(module):
            load(module)
            vars(module).update(sides)
        spec.loader.exec_module = loaded
        return spec

import sys
sys.meta_path.insert(0, Coarse)
"""


def make_coarse(patch: pytest.MonkeyPatch) -> None:
    """Have this process fill and look at no more than `SIDES`, until the patch is undone."""
    for module, sides in SIDES.items():
        for name, side in sides.items():
            patch.setattr(f"{module}.{name}", side)


def coarsely() -> str:
    """What has a process fill and look at no more than `SIDES`, where it is run first.

    Neither is what is looked at there, and they take seconds of each edit.
    """
    return CODE.format(sides=SIDES)


def loaded_first(folder: Path) -> str:
    """A folder with just that, to come first in the `PYTHONPATH` of those that are to be coarse."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(coarsely())
    return str(folder)
