"""Code that type checkers accept: mypy checks it, nothing runs it."""

from typing import List, Optional

import mmstats


class Stats(mmstats.MmStats):
    hits = mmstats.CounterField(label="cache.hits", help="Hits.")
    size = mmstats.UIntField(unit="bytes")
    ratio = mmstats.DoubleField()
    ready = mmstats.BoolField(initial=True)
    state = mmstats.StringField(size=20)
    latency = mmstats.TimerField()
    mean = mmstats.MovingAverageField(size=10)


def use(stats: Stats) -> float:
    stats.hits.incr()
    count: int = stats.hits.value
    stats.size = 5
    stats.size += count
    size: int = stats.size
    stats.ratio = 0.5
    ready: bool = stats.ready
    stats.state = "idle"
    state: str = stats.state
    with stats.latency as measurement:
        stats.mean.add(measurement.elapsed)
    path: Optional[str] = stats.filename
    fields: List[mmstats.FieldValue] = mmstats.read(path)
    field: mmstats.UIntField = Stats.size
    print(size, ready, state, fields, field)
    return stats.mean.value
