# What others take from here, each with the file that has it: who does not click needs no engine.

from .calling import Call
from .choosing import ENGINES, Chosen, engine_of
from .clicks import ADD, TAKE_AWAY, Clicks
from .engine import SECONDS, Engine, EngineName, Given, Select, Stop, StoppedError
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
