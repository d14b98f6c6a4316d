"""The ways to an answer, one file each: the network, the embedded service, a recording, and recording around one.

A new way is a file here that says of itself what `Way` asks.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
