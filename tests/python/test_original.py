"""Programs for the original package work unchanged."""

import os
import sys
import threading
import time
import unittest
import uuid
import warnings

import mmstats
from mmstats import fields, libgettid, models

from support import TestCase


class WebStats(mmstats.MmStats):
    status2xx = mmstats.CounterField(label="status.2XX")
    status3xx = mmstats.CounterField(label="status.3XX")
    last_hit = mmstats.DoubleField(label="timers.last_hit")


class Original:
    """Tests for both formats."""

    def create(self, model, **options):
        return model(format=self.format, **options)

    def test_the_lines_of_the_readme_work(self):
        webstats = self.create(WebStats, label_prefix="web.stats.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            webstats.status2xx.inc()
        now = time.time()
        webstats.last_hit = now
        values = self.values()
        self.assertEqual(values["web.stats.status.2XX"], 1)
        self.assertEqual(values["web.stats.timers.last_hit"], now)
        self.assertEqual(values["web.stats.sys.pid"], os.getpid())
        self.assertEqual(values["web.stats.org.python.version"], {sys.version.replace("\n", "")})
        self.assertEqual(webstats.label_prefix, "web.stats.")

    def test_instances_share_nothing(self):
        class LaserStats(mmstats.MmStats):
            blue = mmstats.UIntField()
            red = mmstats.UIntField()

        a = self.create(LaserStats, filename="a.mmstats")
        b = self.create(LaserStats, filename="b.mmstats")
        a.blue, a.red, b.blue = 1, 2, 42
        self.assertEqual((a.blue, a.red, b.blue, b.red), (1, 2, 42, 0))
        self.assertEqual([file.name for file in self.files()], ["a.mmstats", "b.mmstats"])

    def test_a_subclass_replaces_fields(self):
        class Parent(mmstats.MmStats):
            a = mmstats.UIntField()
            b = mmstats.UIntField()

        class Child(Parent):
            a = mmstats.BoolField()
            c = mmstats.UIntField()

        self.assertIsInstance(Parent.a, mmstats.UIntField)
        self.assertIsInstance(Child.a, mmstats.BoolField)
        self.assertFalse(hasattr(Parent, "c"))
        stats = self.create(Child)
        stats.a, stats.b, stats.c = "truthy", 2, 3
        self.assertIs(self.values()["a"] and stats.a, True)
        self.assertEqual((stats.b, stats.c), (2, 3))

    def test_integers_wrap_at_their_width(self):
        class Integers(mmstats.MmStats):
            byte = mmstats.ByteField()
            short = mmstats.ShortField()
            ushort = mmstats.UShortField()
            int_ = mmstats.IntField()
            uint = mmstats.UIntField()
            uint64 = mmstats.UInt64Field()

        stats = self.create(Integers)
        for name, bits, signed in [
            ("byte", 8, True),
            ("short", 16, True),
            ("ushort", 16, False),
            ("int_", 32, True),
            ("uint", 32, False),
            ("uint64", 64, False),
        ]:
            self.assertEqual(getattr(stats, name), 0)
            for value in (1, -1, 2**bits - 1, 2**bits + 5, -(2 ** (bits - 1)), 2**70 + 3):
                setattr(stats, name, value)
                wrapped = value % 2**bits
                if signed and wrapped >= 2 ** (bits - 1):
                    wrapped -= 2**bits
                self.assertEqual(getattr(stats, name), wrapped, (name, value))
                self.assertEqual(self.values()[name], wrapped, (name, value))
            with self.assertRaises(TypeError):
                setattr(stats, name, 1.5)

    def test_floats_and_flags(self):
        class Mixed(mmstats.MmStats):
            f = mmstats.FloatField()
            d = mmstats.DoubleField()
            off = mmstats.BoolField()
            on = mmstats.BoolField(initial=True)

        stats = self.create(Mixed)
        self.assertEqual((stats.f, stats.d, stats.off, stats.on), (0.0, 0.0, False, True))
        stats.f = stats.d = 1 / 3
        self.assertEqual(stats.d, 1 / 3)
        self.assertAlmostEqual(stats.f, 1 / 3, places=7)
        self.assertNotEqual(stats.f, 1 / 3)
        stats.d = 7
        self.assertEqual(stats.d, 7.0)
        stats.off, stats.on = "anything", []
        self.assertIs(stats.off, True)
        self.assertIs(stats.on, False)

    def test_counters(self):
        class Counters(mmstats.MmStats):
            counter = mmstats.CounterField()

        counter = self.create(Counters).counter
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            counter.incr()
            counter.incr(amount=9)
            self.assertEqual(counter.value, 10)
            counter.incr(-11)
            self.assertEqual(counter.value, 2**64 - 1)
            counter.value = 3
            self.assertRaises(DeprecationWarning, counter.inc)
            self.assertEqual(counter.value, 3)
            warnings.simplefilter("ignore")
            counter.inc(n=97)
        self.assertEqual(counter.value, 100)
        self.assertEqual(self.values()["counter"], 100)
        with self.assertRaises(TypeError):
            counter.incr(0.5)

    def test_texts_are_cut_between_characters(self):
        class Texts(mmstats.MmStats):
            f = mmstats.FloatField()
            s = mmstats.StringField(10)
            default = mmstats.StringField()

        stats = self.create(Texts)
        self.assertEqual(stats.s, "")
        for given, kept in [
            ("a" * 11, "a" * 10),
            ("b", "b"),
            ("\u2764" * 11, "\u2764" * 3),
            (b"bytes", "bytes"),
        ]:
            stats.s = given
            self.assertEqual(stats.s, kept)
            self.assertEqual(self.values()["s"], {kept})
        stats.default = "x" * 300
        self.assertEqual(stats.default, "x" * 255)

    def test_averages(self):
        class Averages(mmstats.MmStats):
            all = mmstats.AverageField()
            last = mmstats.MovingAverageField()
            last3 = mmstats.MovingAverageField(size=3)
            last1 = mmstats.MovingAverageField(size=1)

        stats = self.create(Averages)
        self.assertEqual((stats.all.value, stats.last.value), (0.0, 0.0))
        samples = [float(i * i % 101) for i in range(250)]
        for i, sample in enumerate(samples):
            for field in (stats.all, stats.last, stats.last3, stats.last1):
                field.add(sample)
            for field, size in ((stats.all, 250), (stats.last, 100), (stats.last3, 3)):
                window = samples[max(0, i + 1 - size) : i + 1]
                self.assertAlmostEqual(field.value, sum(window) / len(window))
            self.assertEqual(stats.last1.value, sample)
        self.assertAlmostEqual(self.values()["all"], sum(samples) / 250)

    def test_timers(self):
        class Timers(mmstats.MmStats):
            t1 = mmstats.TimerField()
            t2 = mmstats.TimerField(timer=lambda: next(ticks))

        ticks = iter([10.0, 11.0, 13.0, 20.0, 24.0])
        stats = self.create(Timers)
        self.assertEqual((stats.t1.last, stats.t2.last), (0.0, 0.0))
        with stats.t1 as running:
            self.assertEqual(stats.t1.value, 0.0)
            elapsed = running.elapsed
            self.assertGreater(elapsed, 0.0)
            time.sleep(0.001)
            self.assertGreater(running.elapsed, elapsed)
            self.assertFalse(running.done)
        self.assertTrue(running.done)
        self.assertEqual(stats.t1.value, stats.t1.last)
        self.assertEqual(running.end - running.start, stats.t1.last)
        with stats.t2 as running:
            self.assertEqual(running.elapsed, 1.0)
        self.assertEqual(stats.t2.value, 3.0)
        stats.t2.start()
        stats.t2.stop()
        self.assertEqual((stats.t2.last, stats.t2.value), (4.0, 3.5))
        self.assertEqual(self.values()["t2"], 3.5)

    def test_an_exception_in_a_timed_block_is_timed_and_raised(self):
        class Timers(mmstats.MmStats):
            timer = mmstats.TimerField()

        stats = self.create(Timers)
        with self.assertRaises(KeyError):
            with stats.timer as running:
                raise KeyError("x")
        self.assertTrue(running.done)
        self.assertEqual(stats.timer.last, running.elapsed)
        self.assertGreater(stats.timer.value, 0.0)

    def test_blocks_that_interleave_are_timed_apart(self):
        class Timers(mmstats.MmStats):
            timer = mmstats.TimerField(size=1)

        stats = self.create(Timers)
        first, second = stats.timer, stats.timer
        with stats.timer:
            with stats.timer:
                pass
        outer = first.__enter__()
        inner = second.__enter__()
        first.__exit__(None, None, None)
        self.assertEqual(stats.timer.value, outer.elapsed)
        second.__exit__(None, None, None)
        self.assertEqual(stats.timer.value, inner.elapsed)

    def test_constants(self):
        class Constants(mmstats.BaseMmStats):
            text = mmstats.StaticTextField(label="text", value="something cool")
            uint = mmstats.StaticUIntField(value=lambda: 2**32 - 1)
            int64 = mmstats.StaticInt64Field(value=-(2**63))
            uint64 = mmstats.StaticUInt64Field(value=2**64 - 1)
            single = mmstats.StaticFloatField(value=0.5)
            double = mmstats.StaticDoubleField(value=1e300)

        stats = self.create(Constants)
        expected = {
            "text": "something cool",
            "uint": 2**32 - 1,
            "int64": -(2**63),
            "uint64": 2**64 - 1,
            "single": 0.5,
            "double": 1e300,
        }
        for name, value in expected.items():
            self.assertEqual(getattr(stats, name), value)
            read = self.values()[name]
            self.assertEqual(read.pop() if isinstance(read, set) else read, value)
        with self.assertRaises(AttributeError):
            stats.uint = 1

        class WithoutValue(mmstats.MmStats):
            missing = mmstats.StaticUIntField()

        self.assertRaises(ValueError, self.create, WithoutValue)

    def test_each_thread_has_its_own_values_and_file(self):
        class ScienceStats(mmstats.MmStats):
            facts = mmstats.StringField(size=50)

        stats = self.create(ScienceStats)
        count = 40
        barrier = threading.Barrier(count)
        seen, files, tids = set(), set(), set()

        def work():
            fact = stats.facts = str(uuid.uuid4())
            barrier.wait()
            self.assertEqual(stats.facts, fact)
            seen.add(fact)
            files.add(stats.filename)
            tids.add((stats.tid, libgettid.gettid()))
            barrier.wait()

        run_threads(work, count)
        self.assertEqual((len(seen), len(files)), (count, count))
        self.assertTrue(all(stated == actual for stated, actual in tids))
        stats.facts = "main"
        self.assertEqual(stats.facts, "main")

    def test_remove_removes_the_files_of_threads_that_have_ended(self):
        class ThreadedStats(mmstats.MmStats):
            counter = mmstats.CounterField()

        stats = self.create(ThreadedStats, filename="{PID}-{TID}.mmstats")
        run_threads(lambda: stats.counter.incr(), 20)
        wait_for_ended_threads()
        self.assertTrue(self.files())
        stats.remove()
        self.assertEqual(self.files(), [])
        stats.remove()
        stats.counter.incr()
        self.assertEqual((stats.counter.value, self.files()), (1, []))

    def test_templates_of_paths(self):
        command = os.path.basename(sys.argv[0])
        stats = self.create(
            WebStats, path=f"{self.directory}/", filename="{CMD}.{PID}.{TID}.{MODEL}.mmstats"
        )
        pid, tid = os.getpid(), libgettid.gettid()
        name = f"{command}.{pid}.{tid}.WebStats.mmstats"
        self.assertEqual(stats.filename, str(self.directory / name))
        absolute = self.create(WebStats, filename=str(self.directory / "absolute.mmstats"))
        self.assertEqual(absolute.filename, str(self.directory / "absolute.mmstats"))
        default = self.create(WebStats)
        self.assertEqual(default.filename, str(self.directory / f"{command}-{pid}-{tid}.mmstats"))

    def test_flush_and_size(self):
        stats = self.create(WebStats)
        stats.flush()
        stats.flush(True)
        stats.flush(**{"async": True})
        self.assertEqual(stats.size, os.path.getsize(stats.filename))

    def test_the_modules_have_the_original_names(self):
        self.assertIs(models.MmStats, mmstats.MmStats)
        self.assertIs(fields.CounterField, mmstats.CounterField)
        self.assertEqual(mmstats.DEFAULT_STRING_SIZE, 255)
        self.assertTrue(mmstats.DEFAULT_GLOB.endswith(".mmstats"))
        self.assertTrue(issubclass(mmstats.DuplicateFieldName, Exception))
        self.assertTrue(mmstats.version)


class Version1(Original, TestCase):
    format = 1

    def test_sizes_are_whole_pages(self):
        class Big(mmstats.MmStats):
            f1 = mmstats.UIntField(label="f" + "o" * 4096)
            f2 = mmstats.UIntField(label="f" + "0" * 4096)
            f3 = mmstats.UIntField(label="f" + "1" * 4096)

        self.assertEqual(self.create(Big).size, 4 * 4096)


class Version2(Original, TestCase):
    format = 2


class Flask(TestCase):
    def test_the_flask_example_works(self):
        output = self.run_program(FLASK)
        self.assertEqual(output.split(), ["200", "500", "1", "1", "False"])
        self.assertEqual(self.files(), [])


FLASK = """
import atexit
import warnings

import flask
import mmstats

app = flask.Flask(__name__)
warnings.simplefilter("error")


class Stats(mmstats.MmStats):
    ok = mmstats.CounterField(label="flask.example.ok")
    bad = mmstats.CounterField(label="flask.example.bad")
    working = mmstats.BoolField(label="flask.example.working")


stats = Stats(filename="flask-example-%PID%")
atexit.register(stats.remove)


def set_working(sender, **extra):
    stats.working = True


def unset_working(sender, response, **extra):
    stats.working = False


def inc_response(sender, response, **extra):
    if response.status_code == 200:
        stats.ok.incr()
    elif response.status_code == 500:
        stats.bad.incr()


flask.request_started.connect(set_working, app)
flask.request_finished.connect(unset_working, app)
flask.request_finished.connect(inc_response, app)


@app.route("/")
def ok():
    assert stats.working
    return "fine"


@app.route("/500")
def bad():
    return "oh noes!", 500


client = app.test_client()
print(client.get("/").status_code, client.get("/500").status_code)
fields = {field.label: field.value for field in mmstats.read(stats.filename)}
print(fields["flask.example.ok"], fields["flask.example.bad"], fields["flask.example.working"])
"""


def run_threads(work, count):
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def wait_for_ended_threads():
    """`join` returns before the operating system has ended the thread."""
    while len(os.listdir("/proc/self/task")) > 1:
        time.sleep(0.001)


if __name__ == "__main__":
    unittest.main()
