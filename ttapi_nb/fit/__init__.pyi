# What other rooms take from this one, each with the file that has it: a plan needs nothing of what lands an answer.

from .extend import extend
from .geometry import Box
from .landing import Landed, Landing
from .leak import LEAK_THRESHOLD, Leak, measure_leak
from .light import Light
from .past import Past
from .paste import Pasted, paste, surroundings
from .plan import HOWS, Fit
from .register import Moved
from .sizes import AUTO_AREA
from .tiles import part_of
from .words import mask_for, masked_words

__all__ = [
    "AUTO_AREA",
    "HOWS",
    "LEAK_THRESHOLD",
    "Box",
    "Fit",
    "Landed",
    "Landing",
    "Leak",
    "Light",
    "Moved",
    "Past",
    "Pasted",
    "extend",
    "mask_for",
    "masked_words",
    "measure_leak",
    "part_of",
    "paste",
    "surroundings",
]
