# Each way with the file that has it: who has a key needs nothing of recordings.

from .embedded import Embedded
from .line import Line
from .network import DEFAULT_BASE_URL, Network
from .recording import Recording
from .replay import Replay
from .way import Call, Way

__all__ = ["DEFAULT_BASE_URL", "Call", "Embedded", "Line", "Network", "Recording", "Replay", "Way"]
