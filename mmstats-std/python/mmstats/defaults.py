"""The defaults of paths and sizes, from the environment."""

import os
import tempfile

__all__ = ["DEFAULT_PATH", "DEFAULT_FILENAME", "DEFAULT_GLOB", "DEFAULT_STRING_SIZE"]


def _default_path() -> str:
    path = os.environ.get("MMSTATS_PATH")
    if path:
        return path
    if os.path.ismount("/dev/shm") and os.access("/dev/shm", os.W_OK | os.X_OK):
        return "/dev/shm"
    return tempfile.gettempdir()


DEFAULT_PATH: str = _default_path()
DEFAULT_FILENAME: str = os.environ.get("MMSTATS_FILES") or "{CMD}-{PID}-{TID}.mmstats"
DEFAULT_GLOB: str = os.environ.get("MMSTATS_GLOB") or os.path.join(DEFAULT_PATH, "*.mmstats")
DEFAULT_STRING_SIZE: int = 255
