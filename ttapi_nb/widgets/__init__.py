"""The widgets: a photo to open, a mask to paint, a model and a size to pick, a prompt to write, results to compare."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
