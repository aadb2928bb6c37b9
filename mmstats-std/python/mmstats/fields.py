"""The fields of models."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Callable, Generic, Sequence, TypeVar, Union, overload

from . import defaults
from ._native import Average, Counter, Descriptor, Family, Histogram, Timer

__all__ = [
    "AverageField",
    "BoolField",
    "ByteField",
    "CounterField",
    "DoubleField",
    "DuplicateFieldName",
    "FamilyField",
    "Field",
    "FloatField",
    "HistogramField",
    "Int64Field",
    "IntField",
    "MovingAverageField",
    "RunningAverage",
    "ShortField",
    "StaticDoubleField",
    "StaticFloatField",
    "StaticInt64Field",
    "StaticTextField",
    "StaticUInt64Field",
    "StaticUIntField",
    "StringField",
    "TimerField",
    "UByteField",
    "UInt64Field",
    "UIntField",
    "UShortField",
]

Got = TypeVar("Got")
Given = TypeVar("Given")
Self = TypeVar("Self")


class DuplicateFieldName(Exception):
    """Two fields of a model have the same label, but not the same type."""


class Field(Descriptor, Generic[Got, Given]):
    """The base class of fields: an attribute of a model's class.

    `label` is the name that readers see, after the prefix of the instance; the default is the name
    of the attribute. In format 2, readers also see `help`, `unit` (a base unit in plural, as
    "seconds", "bytes" or "unixtime", or one of "milliseconds", "microseconds", "nanoseconds" and
    "percent"), `scale` and `divisor` (value in the unit = stored value × 10^scale / divisor), and
    `aggregation`: how they combine several threads, "sum", "mean", "min", "max" or "last". A field
    that is `kept` survives the end of its thread, as counters and histograms always do.
    """

    #: The type of the field, for the native part.
    kind = ""
    #: The letter of the type in the `struct` module.
    type_signature = ""

    def __init__(
        self,
        label: str | None = None,
        *,
        help: str = "",
        unit: str = "",
        scale: int = 0,
        divisor: int = 1,
        aggregation: str = "",
        kept: bool = False,
    ) -> None:
        self.label = label or None
        self.help = help
        self.unit = unit
        self.scale = scale
        self.divisor = divisor
        self.aggregation = aggregation
        self.kept = kept
        self.size = 1
        #: The initial value, a function that returns it, or the clock of a timer.
        self.parameter: Any = None
        #: The names of the dimensions, if it is a family.
        self.dimensions: list[str] | None = None
        self.max_series = 0

    if TYPE_CHECKING:
        # The native part has both.
        @overload
        def __get__(self: Self, instance: None, owner: type | None = None) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: type | None = None) -> Got: ...
        def __get__(self, instance: Any, owner: type | None = None) -> Any: ...
        def __set__(self, instance: object, value: Given) -> None: ...

    def __repr__(self) -> str:
        return f"{type(self).__name__}(label={self.label!r})"


class NoValue:
    """The type of what can be assigned to a field that cannot be assigned: it has no values."""


class CounterField(Field[Counter, NoValue]):
    """Counts events: `stats.field.incr(amount=1)` and `stats.field.value`. It wraps at 2^64."""

    kind = "counter"
    type_signature = "Q"


class AverageField(Field[Average, NoValue]):
    """The mean of all samples of a thread: `stats.field.add(x)` and `stats.field.value`."""

    kind = "average"
    type_signature = "d"


RunningAverage = AverageField


class MovingAverageField(Field[Average, NoValue]):
    """The mean of a thread's last `size` samples."""

    kind = "moving_average"
    type_signature = "d"

    def __init__(self, size: int = 100, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size


class TimerField(Field[Timer, NoValue]):
    """Durations in seconds: the moving average of a thread's last `size` ones.

    >>> class Stats(MmStats):
    ...     latency = TimerField()
    >>> stats = Stats()
    >>> with stats.latency as measurement:
    ...     assert measurement.elapsed > 0.0
    >>> assert stats.latency.value == stats.latency.last > 0.0

    In format 2, the label with `.histogram` appended has the distribution of all durations, in
    nanoseconds. `timer` returns the time in seconds.
    """

    kind = "timer"
    type_signature = "d"

    def __init__(
        self, timer: Callable[[], float] = time.perf_counter, size: int = 100, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.timer = timer
        self.size = size
        self.parameter = timer


class HistogramField(Field[Histogram, NoValue]):
    """A distribution of unsigned integers, within 3 %: `stats.field.record(value)`.

    Values of 2^40 and more share the last bucket. Format 1 has no histograms: there, nothing is
    recorded.
    """

    kind = "histogram"
    type_signature = "Q"


class _NumberField(Field[int, int]):
    def __init_subclass__(cls) -> None:
        cls.kind = f"number {cls.type_signature}"


class UInt64Field(_NumberField):
    """An unsigned integer of 64 bits. As all integers, it wraps at its width."""

    type_signature = "Q"


class Int64Field(_NumberField):
    """A signed integer of 64 bits."""

    type_signature = "q"


class UIntField(_NumberField):
    """An unsigned integer of 32 bits."""

    type_signature = "I"


class IntField(_NumberField):
    """A signed integer of 32 bits."""

    type_signature = "i"


class UShortField(_NumberField):
    """An unsigned integer of 16 bits."""

    type_signature = "H"


class ShortField(_NumberField):
    """A signed integer of 16 bits."""

    type_signature = "h"


class ByteField(_NumberField):
    """A signed integer of 8 bits."""

    type_signature = "b"


class UByteField(_NumberField):
    """An unsigned integer of 8 bits."""

    type_signature = "B"


class FloatField(Field[float, float]):
    """A floating-point number of 32 bits."""

    kind = "number f"
    type_signature = "f"


class DoubleField(Field[float, float]):
    """A floating-point number of 64 bits."""

    kind = "number d"
    type_signature = "d"


class BoolField(Field[bool, object]):
    """True or false. Anything can be assigned: its truth counts."""

    kind = "bool"
    type_signature = "?"

    def __init__(self, initial: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial = initial
        self.parameter = bool(initial)


class StringField(Field[str, Union[str, bytes]]):
    """A text of at most `size` bytes of UTF-8. A longer one is cut at a character's boundary."""

    kind = "text"

    def __init__(self, size: int = defaults.DEFAULT_STRING_SIZE, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.type_signature = f"{size}s"


class _StaticField(Field[Got, NoValue]):
    """A constant. If `value` is a function, each thread calls it when it creates its file."""

    def __init__(self, label: str | None = None, value: Any = None, **kwargs: Any) -> None:
        super().__init__(label, **kwargs)
        self.value = value
        self.parameter = value

    def __init_subclass__(cls) -> None:
        cls.kind = f"constant {cls.type_signature[-1]}"


class StaticUIntField(_StaticField[int]):
    """A constant unsigned integer of 32 bits."""

    type_signature = "I"


class StaticInt64Field(_StaticField[int]):
    """A constant signed integer of 64 bits."""

    type_signature = "q"


class StaticUInt64Field(_StaticField[int]):
    """A constant unsigned integer of 64 bits."""

    type_signature = "Q"


class StaticFloatField(_StaticField[float]):
    """A constant floating-point number of 32 bits."""

    type_signature = "f"


class StaticDoubleField(_StaticField[float]):
    """A constant floating-point number of 64 bits."""

    type_signature = "d"


class StaticTextField(_StaticField[str]):
    """A constant text of at most 256 bytes of UTF-8."""

    type_signature = "256s"


class FamilyField(Field[Family, NoValue]):
    """Fields of one label that differ in the values of their dimensions.

    >>> class Stats(MmStats):
    ...     requests = FamilyField(CounterField(label="http.requests"), ["route", "status"])
    >>> stats = Stats()
    >>> stats.requests.series("/users", 200).incr()  # http.requests{route="/users",status="200"}

    `series` returns what an attribute of the field's type returns; for numbers, flags and texts an
    object with a `value`. Above `max_series`, all values become "_other". Families need format 2.
    """

    def __init__(
        self, field: Field[Any, Any], dimensions: Sequence[str], *, max_series: int = 1000
    ) -> None:
        super().__init__(
            field.label,
            help=field.help,
            unit=field.unit,
            scale=field.scale,
            divisor=field.divisor,
            aggregation=field.aggregation,
            kept=field.kept,
        )
        self.kind = field.kind
        self.type_signature = field.type_signature
        self.size = field.size
        self.parameter = field.parameter
        self.dimensions = list(dimensions)
        self.max_series = max_series
