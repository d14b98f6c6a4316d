"""Pictures for looking at: smaller ones, on white paper, and as HTML that needs nothing else."""

from __future__ import annotations

import base64
import html
import io

from PIL import Image

__all__ = ["on_white", "preview", "thumbnail_html"]


def preview(pixels: Image.Image, longest: int) -> Image.Image:
    """A copy of `pixels` that fits into a square of `longest` pixels a side; never larger than it was."""
    copy = pixels.copy()
    copy.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return copy


def on_white(image: Image.Image) -> Image.Image:
    """The picture as it looks on white paper, `RGB`; itself where it is that already."""
    if image.mode == "RGB":
        return image
    clear = image.convert("RGBA")
    paper = Image.new("RGB", image.size, "white")
    paper.paste(clear, (0, 0), clear.getchannel("A"))
    return paper


def thumbnail_html(image: Image.Image, caption: str, longest: int = 256) -> str:
    """A small picture with a caption under it, as HTML that needs nothing else."""
    small = preview(image, longest)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=80)
    source = base64.b64encode(out.getvalue()).decode()
    text = html.escape(caption)
    return (
        f'<figure style="margin:0"><img alt="{text}" src="data:image/webp;base64,{source}" '
        f'width="{small.width}" height="{small.height}"><figcaption>{text}</figcaption></figure>'
    )
