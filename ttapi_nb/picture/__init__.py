"""Pictures: opened from anywhere, shown, and written as files. Each name is where it is made."""

from .opening import FILE_CAP, PIXEL_CAP, SAMPLE, ImageSource, changes_in_words, open_image, sample, tidy
from .own import OwnFile
from .pasting import edited_picture, extended_picture
from .saving import encode
from .show import on_white, preview, thumbnail_html
from .source import FORMATS, MIME_TYPES, SUFFIXES, ImageFile, SourceImage
from .unopened import as_given
from .weight import under_limit

__all__ = [
    "FILE_CAP",
    "FORMATS",
    "MIME_TYPES",
    "PIXEL_CAP",
    "SAMPLE",
    "SUFFIXES",
    "ImageFile",
    "ImageSource",
    "OwnFile",
    "SourceImage",
    "as_given",
    "changes_in_words",
    "edited_picture",
    "encode",
    "extended_picture",
    "on_white",
    "open_image",
    "preview",
    "sample",
    "thumbnail_html",
    "tidy",
    "under_limit",
]
