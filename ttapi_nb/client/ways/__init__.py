"""The ways to an answer, one file each: the network, the embedded service, a recording, and recording around one.

A new way is a file here that says of itself what `Way` asks.
"""

from __future__ import annotations

from .embedded import Embedded
from .line import Line
from .network import DEFAULT_BASE_URL, Network
from .recording import Recording
from .replay import Replay
from .way import Call, Way

__all__ = ["DEFAULT_BASE_URL", "Call", "Embedded", "Line", "Network", "Recording", "Replay", "Way"]
