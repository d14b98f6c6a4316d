"""What comes back from the service: read as it arrives, understood, and given as typed values. It imports no client."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
