import sys

if sys.version_info >= (3, 11):
    from typing import NotRequired, Required, Unpack
else:
    from typing_extensions import NotRequired, Required, Unpack

__all__ = ["NotRequired", "Required", "Unpack"]
