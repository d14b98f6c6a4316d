# What others take from here, each with the file that has it.

from .asks import Recorded
from .player import Match, Player
from .recorder import Recorder

__all__ = ["Match", "Player", "Recorded", "Recorder"]
