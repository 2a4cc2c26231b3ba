from __future__ import annotations

import base64
import mimetypes
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict


class EncodedFile(TypedDict):
    """A file as messages carry it: `data` is Base64."""

    name: str
    media_type: str
    data: str


@dataclass(frozen=True)
class File:
    """Bytes, and what they are called."""

    content: bytes
    name: str = "file"
    media_type: str = ""

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> File:
        return cls(Path(path).read_bytes(), Path(path).name)

    @property
    def type(self) -> str:
        return self.media_type or mimetypes.guess_type(self.name)[0] or "application/octet-stream"


FileLike = File | bytes | os.PathLike[str]
"""A `pathlib.Path` is read when it is sent."""


def as_file(file: FileLike, name: str = "file") -> File:
    if isinstance(file, File):
        return file
    return File(bytes(file), name) if isinstance(file, (bytes, bytearray, memoryview)) else File.read(file)


def encode_file(file: FileLike) -> EncodedFile:
    """As the service takes it."""
    given = as_file(file)
    data = base64.b64encode(given.content).decode("ascii")
    return {"name": given.name, "media_type": given.type, "data": data}


def with_files(fields: dict[str, Any]) -> dict[str, Any]:
    """Files that are encoded already go as they are."""
    if fields.get("attachments") is None:
        return fields
    files = [each if isinstance(each, dict) else encode_file(each) for each in fields["attachments"]]
    return {**fields, "attachments": files}
