"""Threads, forks, exits and servers."""

import multiprocessing
import os
import re
import signal
import threading
import time
import unittest
import urllib.request

import mmstats

from support import TestCase, slurpstats
from test_original import run_threads, wait_for_ended_threads


class Stats(mmstats.MmStats):
    counter = mmstats.CounterField()
    gauge = mmstats.IntField()
    requests = mmstats.FamilyField(mmstats.CounterField(), ["route"])


class Threads(TestCase):
    def test_threads_lose_no_increment(self):
        for format in (1, 2):
            stats = Counting(filename=f"{format}-{{TID}}.mmstats", label_prefix=f"{format}.", format=format)
            counter = stats.counter

            def work():
                for _ in range(1000):
                    stats.counter.incr()
                    counter.incr()

            run_threads(work, 8)
            self.assertEqual(self.values()[f"{format}.counter"], 16_000)

    def test_the_next_thread_goes_on_with_the_file(self):
        for format in (1, 2):
            stats = Counting(filename=f"{format}-{{TID}}.mmstats", label_prefix=f"{format}.", format=format)
            files = set()

            def work():
                stats.counter.incr()
                stats.gauge = 7
                stats.average.add(5)
                files.add(stats.filename)

            for _ in range(20):
                run_threads(work, 1)
                wait_for_ended_threads()
            self.assertEqual(len(files), 1)
            values = self.values()
            self.assertEqual(values[f"{format}.counter"], 20)
            self.assertEqual((values[f"{format}.gauge"], values[f"{format}.average"]), (0, 0.0))

    def test_series_that_one_thread_adds_are_for_all(self):
        stats = Stats()
        home = stats.requests.series("/")
        home.incr()
        run_threads(lambda: (home.incr(), stats.requests.series("/users").incr()), 3)
        values = self.values()
        self.assertEqual((values['requests{route="/"}'], values['requests{route="/users"}']), (4, 3))

    def test_a_thread_can_end_with_a_running_timer(self):
        class Timed(mmstats.MmStats):
            timer = mmstats.TimerField()

        for format in (1, 2):
            stats = Timed(format=format, filename=f"{format}-{{TID}}.mmstats")
            run_threads(lambda: stats.timer.start(), 3)
            self.assertRaises(RuntimeError, stats.timer.stop)


class Counting(mmstats.MmStats):
    counter = mmstats.CounterField()
    gauge = mmstats.IntField()
    average = mmstats.AverageField()


def count(stats, times):
    for _ in range(times):
        stats.counter.incr()


class Processes(TestCase):
    def test_a_forked_child_has_its_own_file(self):
        for format in (1, 2):
            stats = Counting(label_prefix=f"{format}.", filename=f"{format}-{{PID}}.mmstats", format=format)
            stats.counter.incr(5)
            own = stats.filename
            to_child, to_parent = os.pipe(), os.pipe()
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    before = stats.counter.value
                    count(stats, 3)
                    fine = (before, stats.counter.value) == (0, 3) and stats.filename != own
                    os.write(to_parent[1], b"+" if fine else b"-")
                    os.read(to_child[0], 1)
                    stats.remove()
                    status = 0
                finally:
                    os._exit(status)
            self.assertEqual(os.read(to_parent[0], 1), b"+")
            self.assertEqual(self.values()[f"{format}.counter"], 8)
            pids = {field.value for field in mmstats.read(self.directory) if field.label == f"{format}.sys.pid"}
            self.assertEqual(pids, {os.getpid(), child})
            os.write(to_child[1], b"!")
            self.assertEqual(os.waitpid(child, 0)[1], 0)
            for pipe in to_child + to_parent:
                os.close(pipe)
            self.assertEqual((stats.counter.value, os.path.exists(own)), (5, True))
            self.assertEqual(self.values()[f"{format}.counter"], 5)

    def test_multiprocessing(self):
        for method in ("fork", "spawn"):
            stats = Counting(filename=f"{method}-{{PID}}.mmstats", label_prefix=f"{method}.", keep=True)
            if method == "spawn":
                work, arguments = count_in_a_new_process, (method,)
            else:
                work, arguments = count, (stats, 100)
            context = multiprocessing.get_context(method)
            workers = [context.Process(target=work, args=arguments) for _ in range(3)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
                self.assertEqual(worker.exitcode, 0)
            # The children keep their files: they end by `os._exit`.
            self.assertEqual(self.values()[f"{method}.counter"], 300)
            self.assertEqual(len(list(self.directory.glob(f"{method}-*"))), 4)

    def test_the_exit_removes_the_files(self):
        for end in ("", "raise SystemExit(0)", "import atexit; atexit.register(stats.remove)"):
            self.run_program(PROGRAM + end)
            self.assertEqual(self.files(), [])

    def test_the_exit_works_while_threads_count(self):
        self.run_program(PROGRAM + DAEMONS)
        self.assertEqual(self.files(), [])

    def test_a_killed_program_leaves_its_values(self):
        running = self.start(PROGRAM + "print('ready', flush=True); input()")
        self.assertEqual(running.stdout.readline(), "ready\n")
        running.kill()
        running.wait()
        (file,) = self.files()
        self.assertEqual(slurpstats(file)["counter"], "3")

    def test_kept_files_stay(self):
        self.run_program(PROGRAM.replace("Stats()", "Stats(keep=True, mode=0o640)"))
        (file,) = self.files()
        self.assertEqual(file.stat().st_mode & 0o777, 0o640)
        self.assertEqual(slurpstats(file)["counter"], "3")


PROGRAM = """
import mmstats


class Stats(mmstats.MmStats):
    counter = mmstats.CounterField()
    latency = mmstats.TimerField()
    requests = mmstats.FamilyField(mmstats.CounterField(), ["route"])


stats = Stats()
stats.counter.incr(3)
"""

DAEMONS = """
import threading

counting = threading.Barrier(5)


def work():
    while True:
        with stats.latency:
            stats.counter.incr()
            stats.requests.series("/").incr()
        if stats.counter.value == 100:
            counting.wait()


for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
counting.wait()
"""


def count_in_a_new_process(method):
    stats = Counting(filename=f"{method}-{{PID}}.mmstats", label_prefix=f"{method}.", keep=True)
    count(stats, 100)


class Gunicorn(TestCase):
    WORKERS = 4
    REQUESTS = 200

    def test_workers_of_a_preloaded_application_lose_no_request(self):
        application = self.directory / "application.py"
        application.write_text(APPLICATION)
        stats = self.directory / "stats"
        stats.mkdir()
        os.environ["MMSTATS_PATH"] = str(stats)
        server = self.start(
            SERVER, "--preload", "--workers", str(self.WORKERS), "--threads", "2",
            "--bind", "127.0.0.1:0", "--chdir", str(self.directory), "--log-file", "-",
            "--access-logfile", "/dev/null", "--worker-tmp-dir", str(self.directory), "application:application",
        )
        url = None
        for line in server.stdout:
            found = re.search(r"Listening at: (http://[0-9.:]+)", line)
            if found:
                url = found.group(1)
                break
        self.assertIsNotNone(url, "gunicorn did not start")
        threading.Thread(target=server.stdout.read, daemon=True).start()
        pids = set()

        def ask():
            for _ in range(self.REQUESTS // 8):
                with urllib.request.urlopen(url) as response:
                    pids.add(int(response.read()))

        run_threads(ask, 8)
        deadline = time.monotonic() + 60
        while len(pids) < 2 and time.monotonic() < deadline:
            with urllib.request.urlopen(url) as response:
                pids.add(int(response.read()))
        fields = mmstats.read(stats)
        total = sum(field.value for field in fields if field.label == "web.requests")
        series = sum(field.value for field in fields if field.label.startswith("web.routes{"))
        by_pid = {field.value for field in fields if field.label == "web.sys.pid"}
        self.assertGreaterEqual(total, self.REQUESTS)
        self.assertEqual(total, series)
        self.assertTrue(pids < by_pid, f"{pids} besides the arbiter in {by_pid}")
        self.assertNotIn(server.pid, pids)
        server.send_signal(signal.SIGTERM)
        server.wait(30)
        left = [file.name for file in stats.iterdir()]
        self.assertEqual(left, [])


SERVER = """
import sys
from gunicorn.app.wsgiapp import run

sys.stderr = sys.stdout
run()
"""

APPLICATION = """
import os

import mmstats


class Stats(mmstats.MmStats):
    requests = mmstats.CounterField()
    latency = mmstats.TimerField()
    routes = mmstats.FamilyField(mmstats.CounterField(), ["route"])


stats = Stats(label_prefix="web.")


def application(environ, start_response):
    with stats.latency:
        stats.requests.incr()
        stats.routes.series(environ["PATH_INFO"]).incr()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(os.getpid()).encode()]
"""


if __name__ == "__main__":
    unittest.main()
