"""What comes back from the service: read as it arrives, understood, and given as typed values. It imports no client."""

from .responses import ImageData, ImagesResponse, PartialData, Usage

__all__ = ["ImageData", "ImagesResponse", "PartialData", "Usage"]
