"""Which engine selects: the one that was named, somebody's own, or the better of those that are here."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import MaskError
from .engine import Engine, EngineName, Given, Select
from .extra import PIP, has
from .grabcut import GrabCut
from .mobilesam import MobileSam
from .models import missing, problem_of

__all__ = ["ENGINES", "Chosen", "engine_of", "problem"]

# One each: they share what they learnt of a photo.
ENGINES: dict[str, Engine] = {"grabcut": GrabCut(), "mobilesam": MobileSam()}
NONE = f"Selecting by a click needs an extra, which is not installed. Install it with: {PIP}"
NOT_KNOWN = "Use 'auto', 'grabcut', 'mobilesam', or a function select(picture, points, labels, box)."


@dataclass(frozen=True)
class Chosen:
    """An engine, and what is to be said of the choice; nothing where it is as one expects."""

    engine: Engine
    note: str = ""


def engine_of(engine: EngineName | Select | Engine = "auto") -> Chosen:
    """The engine of this name, or of this function. Raises `MaskError` where it is not here, with what installs it."""
    if isinstance(engine, Engine):
        return Chosen(engine)
    if engine == "auto":
        return _best()
    if isinstance(engine, str):
        if engine not in ENGINES:
            raise MaskError(f"engine={engine[:40]!r} is not known. {NOT_KNOWN}")
        missing_here = problem(engine)
        if missing_here:
            raise MaskError(missing_here)
        return Chosen(ENGINES[engine])
    if not callable(engine):
        raise MaskError(f"An engine is no {type(engine).__name__}. {NOT_KNOWN}")
    return Chosen(Given(engine))


def problem(name: str) -> str:
    """Why this engine can't be used; nothing where it can."""
    module = {"grabcut": "cv2", "mobilesam": "onnxruntime"}[name]
    if not has(module):
        return f"{ENGINES[name].name} needs {module}, which is not installed. Install it with: {PIP}"
    return problem_of() if name == "mobilesam" else ""


def _best() -> Chosen:
    in_the_way = problem("mobilesam")
    if not in_the_way:
        return Chosen(ENGINES["mobilesam"])
    if problem("grabcut"):
        raise MaskError(NONE)
    # Who installed the model is told that it can't be used; who did not is told nothing.
    told = has("onnxruntime") and not missing()
    return Chosen(ENGINES["grabcut"], in_the_way if told else "")
