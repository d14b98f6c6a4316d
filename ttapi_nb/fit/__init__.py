"""There and back: how a picture travels to a model, what of the answer comes back, and what stays as it was."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
