"""Selecting a thing by a click or a box: engines behind one protocol, `select(picture, points, labels, box)`."""

from .calling import SECONDS, Call
from .choosing import ENGINES, Chosen, EngineName, engine_of
from .clicks import ADD, TAKE_AWAY, Clicks
from .engine import Engine, Given, Select, Stop, StoppedError
from .extra import PIP
from .grabcut import GrabCut
from .mobilesam import MobileSam

__all__ = [
    "ADD",
    "ENGINES",
    "PIP",
    "SECONDS",
    "TAKE_AWAY",
    "Call",
    "Chosen",
    "Clicks",
    "Engine",
    "EngineName",
    "Given",
    "GrabCut",
    "MobileSam",
    "Select",
    "Stop",
    "StoppedError",
    "engine_of",
]
