"""Other processes' embedded service paints as it does, but coarsely, as `tests/conftest.py` has it for this one."""

from __future__ import annotations

__all__ = ["coarsely"]

CODE = """
import importlib.util, sys

class Coarse:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "ttapi_nb.service.paint":
            return None
        sys.meta_path.remove(cls)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        def loaded(module):
            load(module)
            module.WORK_SIZE, module.BRUSH_SIZE = {work}, {brush}
        spec.loader.exec_module = loaded
        return spec

sys.meta_path.insert(0, Coarse)
"""


def coarsely(work: int, brush: int) -> str:
    """What has a process fill at no more than `work` pixels, and paint at no more than `brush`, where it is run first.

    Its fill is not what is looked at there, and takes two seconds of each edit.
    """
    return CODE.format(work=work, brush=brush)
