"""Prints the cost of an update, beside that of `prometheus_client` in the same run."""

import os
import sys
import tempfile
import timeit

import prometheus_client

import mmstats

#: How many times as long as an update here one of `prometheus_client` takes, at least.
MIN_RATIO = 2.0
REPEAT, NUMBER = 7, 100_000


class Stats(mmstats.MmStats):
    counter = mmstats.CounterField()
    number = mmstats.UIntField()
    average = mmstats.MovingAverageField()
    latency = mmstats.TimerField()
    sizes = mmstats.HistogramField()
    requests = mmstats.FamilyField(mmstats.CounterField(), ["route", "status"])


def main():
    with tempfile.TemporaryDirectory() as directory:
        stats = Stats(path=directory)
        series = stats.requests.series("/", 200)
        counter = prometheus_client.Counter("counter", "A counter.")
        family = prometheus_client.Counter("requests", "Requests.", ["route", "status"])
        gauge = prometheus_client.Gauge("number", "A number.")
        summary = prometheus_client.Summary("latency", "Durations.")
        names = dict(locals(), kept=stats.counter)
        rows = [
            ("kept.incr()", "counter.inc()"),
            ("stats.counter.incr()", "counter.inc()"),
            ("stats.number = 5", "gauge.set(5)"),
            ("stats.average.add(5.0)", "summary.observe(5.0)"),
            ("stats.sizes.record(5)", "summary.observe(5.0)"),
            ("stats.requests.series('/', '200').incr()", "family.labels('/', '200').inc()"),
            ("series.incr()", "family.labels('/', '200').inc()"),
            ("with stats.latency: pass", "with summary.time(): pass"),
        ]
        slow = []
        for statement, peer in rows:
            own, other = best(statement, names), best(peer, names)
            print(f"{statement:42} {own:6.0f} ns   {peer:34} {other:6.0f} ns   {other / own:5.1f} x")
            if statement.endswith("counter.incr()") or statement.startswith("kept"):
                if other / own < MIN_RATIO:
                    slow.append(f"{statement}: {other / own:.1f} x (at least {MIN_RATIO} x expected)")
        stats.remove()
    print("\n".join(slow), end="\n" if slow else "")
    return bool(slow)


def best(statement, names):
    return min(timeit.repeat(statement, globals=names, repeat=REPEAT, number=NUMBER)) / NUMBER * 1e9


if __name__ == "__main__":
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    sys.exit(main())
