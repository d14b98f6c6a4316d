# What other rooms take from this one, each with the file that has it: a value needs nothing of what reads an answer.

from .again import drafts_again, read_again
from .responses import ImageData, ImagesResponse, PartialData, Usage

__all__ = ["ImageData", "ImagesResponse", "PartialData", "Usage", "drafts_again", "read_again"]
