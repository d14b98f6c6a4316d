"""What comes back from the service: read as it arrives, understood, and given as typed values. It imports no client."""

from .responses import ImageData, ImagesResponse, Usage

__all__ = ["ImageData", "ImagesResponse", "Usage"]
