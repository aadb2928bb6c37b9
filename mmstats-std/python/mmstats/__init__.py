"""Publishes the metrics of a program in memory-mapped files, without locks or system calls.

>>> import mmstats
>>> class WebStats(mmstats.MmStats):
...     status2xx = mmstats.CounterField(label="status.2XX")
...     latency = mmstats.TimerField()
>>> stats = WebStats(label_prefix="web.stats.")
>>> stats.status2xx.incr()
>>> with stats.latency:
...     pass
>>> stats.status2xx.value
1

Each thread has a file of its own. When a thread ends, the next one continues its file. The tools
`slurpstats`, `pollstats`, `topstats` and `mmash` read the files, and so does `mmstats.read`.
"""

from . import _native, defaults, fields, models
from ._native import (
    Average,
    Counter,
    Distribution,
    Family,
    FieldValue,
    Histogram,
    Measurement,
    ReadError,
    Timer,
    Value,
    read,
)
from .defaults import *
from .fields import *
from .models import *

__all__ = [
    "Average",
    "Counter",
    "Distribution",
    "Family",
    "FieldValue",
    "Histogram",
    "Measurement",
    "ReadError",
    "Timer",
    "Value",
    "read",
]
__all__ += defaults.__all__
__all__ += fields.__all__
__all__ += models.__all__

version = __version__ = _native.VERSION
