from typing import Any, List, Optional, Tuple

VERSION: str

class Model:
    """The base class of models: an instance has a file for each thread that uses it."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...
    def _open(
        self,
        name: str,
        fields: List[Any],
        path: Any,
        filename: Any,
        prefix: str,
        format: int,
        mode: Optional[int],
        keep: bool,
        quiet: bool,
    ) -> None: ...
    @property
    def filename(self) -> Optional[str]:
        """The path of this thread's file; of the first one, if there are several."""
    @property
    def filenames(self) -> List[str]:
        """The paths of this thread's files."""
    @property
    def error(self) -> Optional[str]:
        """Why this thread has no file, or `None`."""
    @property
    def size(self) -> int:
        """The bytes of this thread's files."""
    # The parameter is called `async`, which is a keyword now.
    def flush(self, async_: bool = False, /) -> None:
        """Writes this thread's files to their disk; with `async`, only starts that."""
    def remove(self) -> None:
        """Removes this thread's files and those of threads that have ended."""

class Descriptor:
    """The base class of fields."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...

class Counter:
    """A counter, which only goes up and wraps at 2^64."""

    value: int
    def incr(self, amount: int = 1) -> None:
        """Adds `amount`, 1 unless given."""
    def inc(self, n: int = 1) -> None:
        """Adds `n`, 1 unless given. Deprecated: use `incr`."""

class Value:
    """A value of a family: a number, a flag or a text."""

    value: Any

class Average:
    """The mean of all samples, or of the last ones."""

    value: float
    def add(self, value: float) -> None:
        """Adds a sample."""

class Histogram:
    """A distribution of unsigned integers: buckets, a count and a sum."""

    def record(self, value: int) -> None:
        """Records a value of 0 or more."""

class Measurement:
    """A measurement of a timer."""

    @property
    def start(self) -> float:
        """When it started, by the timer's clock."""
    @property
    def end(self) -> Optional[float]:
        """When it ended, by the timer's clock; `None` while it runs."""
    @property
    def done(self) -> bool:
        """Whether it has ended."""
    @property
    def elapsed(self) -> float:
        """Seconds from the start to the end, or until now."""
    def get_time(self) -> float:
        """Returns the time by the timer's clock."""
    def stop(self) -> None:
        """Ends it, without recording it."""

class Timer:
    """Durations. As a context manager, it measures the time of its block."""

    value: float
    @property
    def last(self) -> float:
        """The last duration of this thread in seconds; 0.0 before the first."""
    def start(self) -> None:
        """Starts a measurement, which `stop` ends in the same thread."""
    def stop(self) -> None:
        """Records the time since `start`."""
    def add(self, seconds: float) -> None:
        """Records a duration in seconds that was measured elsewhere."""
    def __enter__(self) -> Measurement: ...
    def __exit__(self, *exception: Any) -> None: ...

class Family:
    """Fields of one label that differ in the values of their dimensions."""

    def series(self, *values: object, **named: object) -> Any:
        """Returns the field with these values of the dimensions."""

class FieldValue:
    """A field of a file, with its value when it was read."""

    @property
    def path(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def value(self) -> Any: ...
    @property
    def kind(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def scale(self) -> int: ...
    @property
    def divisor(self) -> int: ...
    @property
    def help(self) -> str: ...
    @property
    def aggregation(self) -> str: ...
    @property
    def kept(self) -> bool: ...
    @property
    def type(self) -> str: ...
    @property
    def format(self) -> int: ...

class Distribution:
    """The values that a histogram recorded."""

    @property
    def count(self) -> int: ...
    @property
    def sum(self) -> int: ...
    @property
    def buckets(self) -> List[Tuple[int, Optional[int], int]]: ...
    def quantile(self, fraction: float) -> Optional[int]:
        """Returns the value below which this fraction of the values lies."""

class ReadError(OSError):
    """A file cannot be read, or is not an mmstats file."""

def read(path: Any = None) -> List[FieldValue]:
    """Reads a file, or all files of a directory; without an argument, those that the tools read."""

def gettid() -> int:
    """Returns the ID of the calling thread."""

def _after_fork() -> None: ...
