"""Selecting a thing by a click or a box: engines behind one protocol, `select(picture, points, labels, box)`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
