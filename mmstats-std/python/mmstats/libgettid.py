"""The ID of the calling thread, as the kernel knows it."""

from ._native import gettid

__all__ = ["gettid"]
