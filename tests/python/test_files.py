"""Other readers read the files, and format 1 is that of the original byte for byte."""

import os
import struct
import time
import unittest
import warnings

import mmstats

from support import ROOT, TestCase, independent, slurpstats

GOLDEN = ROOT / "tests" / "golden" / "v1"


class Kinds(mmstats.BaseMmStats):
    """The fields of the golden file kinds.mmstats."""

    a_byte = mmstats.ByteField()
    a_short = mmstats.ShortField()
    a_ushort = mmstats.UShortField()
    an_int = mmstats.IntField()
    a_uint = mmstats.UIntField()
    a_u64 = mmstats.UInt64Field()
    a_float = mmstats.FloatField()
    a_double = mmstats.DoubleField()
    a_bool = mmstats.BoolField()
    a_text = mmstats.StringField(20)
    an_avg = mmstats.AverageField()
    a_moving = mmstats.MovingAverageField(size=2)
    s_uint = mmstats.StaticUIntField(value=1)
    s_i64 = mmstats.StaticInt64Field(value=-(2**63))
    s_u64 = mmstats.StaticUInt64Field(value=2**64 - 1)
    s_float = mmstats.StaticFloatField(value=0.5)
    s_double = mmstats.StaticDoubleField(value=1e300)
    s_text = mmstats.StaticTextField(value="grüße")


def set_kinds(stats):
    stats.a_byte = -128
    stats.a_short = -32768
    stats.a_ushort = 65535
    stats.an_int = -(2**31)
    stats.a_uint = 2**32 - 1
    stats.a_u64 = 2**64 - 1
    stats.a_float = 1 / 3
    stats.a_double = -0.1
    stats.a_bool = True
    stats.a_text = "café café café café"
    for sample in (1.0, 2.0, 6.0):
        stats.an_avg.add(sample)
    for sample in (1.0, 3.0, 5.0):
        stats.a_moving.add(sample)


class WebStats(mmstats.MmStats):
    """The fields of the golden file webstats.mmstats."""

    status2xx = mmstats.CounterField(label="status.2XX")
    status3xx = mmstats.CounterField(label="status.3XX")
    status4xx = mmstats.CounterField(label="status.4XX")
    status5xx = mmstats.CounterField(label="status.5XX")
    last_hit = mmstats.DoubleField(label="timers.last_hit")


def entries(data):
    """The fields of a file of version 1: label, type, the index to write, and the values."""
    at = 1
    found = []
    while True:
        (length,) = struct.unpack_from("<H", data, at)
        if length == 0:
            return found
        label = data[at + 2 : at + 2 + length]
        at += 2 + length
        (length,) = struct.unpack_from("<H", data, at)
        type_ = data[at + 2 : at + 2 + length].decode()
        at += 2 + length
        buffer = data[at]
        size = struct.calcsize(f"={type_}")
        values = [data[at + 1 : at + 1 + size]]
        at += 1 + size
        if buffer != 255:
            values.append(data[at : at + size])
            at += size
        found.append((label.decode(), type_, buffer == 255, values[0 if buffer == 255 else buffer ^ 1]))


class Golden(TestCase):
    def test_every_kind_of_field_is_written_as_the_original_wrote_it(self):
        stats = Kinds(filename="kinds.mmstats", format=1)
        set_kinds(stats)
        expected = (GOLDEN / "kinds.mmstats").read_bytes()
        written = (self.directory / "kinds.mmstats").read_bytes()
        self.assertEqual(len(written), len(expected))
        self.assertEqual(entries(written), entries(expected))

    def test_a_model_has_the_entries_of_the_original(self):
        stats = WebStats(label_prefix="web.stats.", filename="web.mmstats", format=1)
        stats.status2xx.incr(7)
        stats.status4xx.incr(3)
        stats.last_hit = 1353442620.125
        expected = entries((GOLDEN / "webstats.mmstats").read_bytes())
        written = entries((self.directory / "web.mmstats").read_bytes())
        self.assertEqual([entry[:3] for entry in written], [entry[:3] for entry in expected])
        self.assertEqual(written[:5], expected[:5])
        values = slurpstats(self.directory / "web.mmstats")
        self.assertEqual(values["web.stats.sys.pid"], str(os.getpid()))


class Readers(TestCase):
    """slurpstats, the independent reader and `mmstats.read` agree."""

    def check(self, format):
        stats = Kinds(label_prefix="k.", format=format)
        set_kinds(stats)
        read = {field.label: field for field in mmstats.read(stats.filename)}
        shown = slurpstats(stats.filename)
        dumped = independent(stats.filename)
        self.assertEqual(sorted(read), sorted(shown))
        self.assertEqual(sorted(read), sorted(dumped))
        for name in ("a_byte", "a_u64", "an_avg", "a_moving", "s_i64", "s_text", "a_text"):
            value = read[f"k.{name}"].value
            self.assertEqual(shown[f"k.{name}"], str(value))
            self.assertEqual(read[f"k.{name}"].format, format)
            self.assertEqual(value, getattr(getattr(stats, name), "value", getattr(stats, name)))
        self.assertIs(read["k.a_bool"].value, True)
        self.assertEqual(shown["k.a_bool"], "True")
        self.assertEqual(dumped["k.a_text"]["value"], "café café café ca")

    def test_version_1(self):
        self.check(1)

    def test_version_2(self):
        self.check(2)

    def test_properties_of_fields(self):
        class Described(mmstats.MmStats):
            sent = mmstats.CounterField(unit="bytes", help="Bytes sent.")
            peak = mmstats.UIntField(aggregation="max", kept=True)
            angle = mmstats.IntField(unit="ratio", divisor=4096)
            delay = mmstats.DoubleField(unit="milliseconds")

        stats = Described()
        fields = {field.label: field for field in mmstats.read(stats.filename)}
        dumped = independent(stats.filename)
        for label, kind, unit, scale, divisor, aggregation, kept in [
            ("sent", "counter", "bytes", 0, 1, "", False),
            ("peak", "gauge", "", 0, 1, "max", True),
            ("angle", "gauge", "ratio", 0, 4096, "", False),
            ("delay", "gauge", "seconds", -3, 1, "", False),
        ]:
            field = fields[label]
            self.assertEqual(
                (kind, unit, scale, divisor, aggregation, kept),
                (field.kind, field.unit, field.scale, field.divisor, field.aggregation, field.kept),
            )
            self.assertEqual((dumped[label]["kind"], dumped[label]["unit"]), (kind, unit))
        self.assertEqual(fields["sent"].help, "Bytes sent.")
        self.assertEqual(fields["sent"].path, stats.filename)
        self.assertEqual(fields["sent"].type, "Q")

    def test_histograms(self):
        class Sizes(mmstats.MmStats):
            size = mmstats.HistogramField(unit="bytes")
            latency = mmstats.TimerField()

        stats = Sizes()
        for value in range(1000):
            stats.size.record(value)
        for seconds in (0.001, 0.003):
            stats.latency.add(seconds)
        self.assertRaises(OverflowError, stats.size.record, -1)
        fields = {field.label: field for field in mmstats.read(stats.filename)}
        sizes = fields["size"].value
        self.assertEqual((sizes.count, sizes.sum), (1000, 499500))
        self.assertEqual(sum(count for _, _, count in sizes.buckets), 1000)
        self.assertAlmostEqual(sizes.quantile(0.5), 500, delta=20)
        latency = fields["latency.histogram"]
        self.assertEqual((latency.unit, latency.scale, latency.value.sum), ("seconds", -9, 4_000_000))
        self.assertEqual(fields["latency"].value, 0.002)
        self.assertIsNone(type(sizes).quantile(read_empty(self), 0.5))

    def test_large_models_are_in_one_file(self):
        timers = {f"timer{i}": mmstats.TimerField() for i in range(30)}
        stats = type("Timers", (mmstats.MmStats,), timers)()
        self.assertEqual(stats.filenames, [stats.filename])
        self.assertEqual(len(self.files()), 1)

    def test_errors_of_readers(self):
        (self.directory / "bad.mmstats").write_bytes(b"no stats")
        with self.assertRaisesRegex(mmstats.ReadError, "bad.mmstats"):
            mmstats.read(self.directory / "bad.mmstats")
        self.assertRaises(OSError, mmstats.read, self.directory / "missing.mmstats")
        with self.assertWarnsRegex(RuntimeWarning, "bad.mmstats"):
            self.assertEqual(mmstats.read(self.directory), [])


def read_empty(test):
    class Empty(mmstats.MmStats):
        size = mmstats.HistogramField()

    stats = Empty(filename="empty.mmstats")
    return {field.label: field.value for field in mmstats.read(stats.filename)}["size"]


class Families(TestCase):
    class Stats(mmstats.MmStats):
        requests = mmstats.FamilyField(
            mmstats.CounterField(label="http.requests", help="Requests."),
            ["route", "status"],
            max_series=3,
        )
        load = mmstats.FamilyField(mmstats.DoubleField(), ["disk"])
        latency = mmstats.FamilyField(mmstats.TimerField(), ["route"])

    def test_series_are_found_by_the_values_of_their_dimensions(self):
        stats = self.Stats(label_prefix="web.")
        stats.requests.series("/", 200).incr()
        stats.requests.series("/", status=200).incr()
        stats.requests.series(status="404", route='a"b').incr()
        stats.load.series("sda").value = 0.5
        self.assertEqual(stats.load.series("sda").value, 0.5)
        with stats.latency.series("/"):
            pass
        values = self.values()
        self.assertEqual(values['web.http.requests{route="/",status="200"}'], 2)
        self.assertEqual(values['web.http.requests{route="a\\"b",status="404"}'], 1)
        self.assertEqual(values['web.load{disk="sda"}'], 0.5)
        self.assertEqual(values['web.latency.histogram{route="/"}'], 1)

    def test_too_many_series_are_counted_as_others(self):
        stats = self.Stats()
        for status in range(10):
            stats.requests.series("/", status).incr()
        values = self.values()
        self.assertEqual(values['http.requests{route="_other",status="_other"}'], 7)

    def test_a_series_after_a_removal_has_a_file_that_the_next_removal_removes(self):
        stats = self.Stats()
        stats.requests.series("/", 200).incr()
        for status in (404, 500):
            stats.remove()
            self.assertEqual(self.files(), [])
            self.assertIsNone(stats.filename)
            stats.requests.series("/", status).incr()
            label = f'http.requests{{route="/",status="{status}"}}'
            self.assertEqual(self.values()[label], 1)
            self.assertEqual([stats.filename], [str(file) for file in self.files()])
        stats.remove()
        self.assertEqual(self.files(), [])

    def test_values_that_no_label_holds_are_counted_as_others(self):
        stats = self.Stats()
        for value in ("a\0b", "x" * 70_000, '"' * 40_000):
            stats.requests.series("/", value).incr()
        stats.load.series("\udc80").value = 2.5
        values = self.values()
        self.assertEqual(values['http.requests{route="_other",status="_other"}'], 3)
        self.assertEqual(values['load{disk="\ufffd\ufffd\ufffd"}'], 2.5)

    def test_wrong_values_are_refused(self):
        stats = self.Stats()
        for values, named in [((), {}), (("/",), {}), (("/", 1, 2), {}), (("/",), {"route": "/"})]:
            with self.assertRaisesRegex(TypeError, "route, status"):
                stats.requests.series(*values, **named)
        for field in ("requests", "load", "latency"):
            with self.assertRaisesRegex(AttributeError, "cannot be assigned: use the methods"):
                setattr(stats, field, 1)

    def test_version_1_has_no_families(self):
        with self.assertRaisesRegex(ValueError, "http.requests"):
            self.Stats(format=1)


class Mistakes(TestCase):
    def test_they_are_refused_with_a_reason(self):
        class Duplicate(mmstats.MmStats):
            a = mmstats.UIntField(label="x")
            b = mmstats.BoolField(label="x")

        for format in (1, 2):
            with self.assertRaisesRegex(mmstats.DuplicateFieldName, "x"):
                Duplicate(format=format)
        for field, message in [
            (mmstats.UIntField(label="a\0b"), "NUL"),
            (mmstats.StringField(size=0), "size"),
            (mmstats.MovingAverageField(size=0), "size"),
            (mmstats.UIntField(aggregation="product"), "product"),
            (mmstats.UIntField(label="x" * 70_000), "65535"),
            (mmstats.FamilyField(mmstats.CounterField(), []), "dimension"),
        ]:
            for format in (1, 2):
                with self.assertRaises(ValueError) as raised:
                    type("Mistake", (mmstats.MmStats,), {"field": field})(format=format)
                if format == 2:
                    self.assertIn(message, str(raised.exception))
        self.assertRaises(ValueError, WebStats, format=3)
        self.assertRaises(ValueError, WebStats, label_prefix="a\0")

    def test_objects_cannot_be_replaced(self):
        stats = WebStats()
        with self.assertRaises(AttributeError):
            stats.status2xx = 5

    def test_a_missing_directory_does_not_stop_the_program(self):
        for format in (1, 2):
            stats = WebStats(path=self.directory / "missing", format=format, quiet=True)
            stats.status2xx.incr()
            self.assertEqual(stats.status2xx.value, 1)
            self.assertIsNone(stats.filename)
            self.assertIn("missing", stats.error)
        with self.assertWarnsRegex(RuntimeWarning, "missing"):
            WebStats(path=self.directory / "missing", format=1)

    def test_publishing_can_be_switched_off(self):
        os.environ["MMSTATS_PATH"] = "none"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for format in (1, 2):
                stats = WebStats(format=format)
                stats.status2xx.incr()
                self.assertEqual((stats.status2xx.value, stats.filename), (1, None))
        self.assertEqual(self.files(), [])


class Live(TestCase):
    def test_an_update_is_visible_at_once(self):
        stats = WebStats()
        for count in range(1, 100):
            stats.status2xx.incr()
            stats.last_hit = time.time()
            values = self.values()
            self.assertEqual((values["status.2XX"], values["timers.last_hit"]), (count, stats.last_hit))


if __name__ == "__main__":
    unittest.main()
