"""Other processes' embedded service paints as it does, but coarsely, as `tests/conftest.py` has it for this one."""

from __future__ import annotations

from pathlib import Path

__all__ = ["BRUSH", "WORK", "coarsely", "loaded_first"]

# The sides, in pixels, at which the tests' services fill and paint at most.
WORK, BRUSH = 64, 128

# In a kernel these are names of whoever uses it, who may forget them.
CODE = """
class Coarse:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "ttapi_nb.service.paint":
            return None
        import importlib.util, sys
        sys.meta_path.remove(cls)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        def loaded(module):
            load(module)
            module.WORK_SIZE, module.BRUSH_SIZE = {work}, {brush}
        spec.loader.exec_module = loaded
        return spec

import sys
sys.meta_path.insert(0, Coarse)
"""


def coarsely() -> str:
    """What has a process fill at no more than `WORK` pixels, and paint at no more than `BRUSH`, where it is run first.

    Its fill is not what is looked at there, and takes two seconds of each edit.
    """
    return CODE.format(work=WORK, brush=BRUSH)


def loaded_first(folder: Path) -> str:
    """A folder with just that, to come first in the `PYTHONPATH` of those that are to fill so."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(coarsely())
    return str(folder)
