"""The thin client: a call is checked, written in one of three body forms, sent once, and answered with typed values."""

from .client import AsyncClient, Client, default_client
from .responses import ImageData, ImagesResponse, Usage

__all__ = ["AsyncClient", "Client", "ImageData", "ImagesResponse", "Usage", "default_client"]
