"""What the tests share: a directory for files, programs in it, and other readers of the files."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import mmstats

ROOT = Path(__file__).resolve().parents[2]
SLURPSTATS = ROOT / "target" / "debug" / "slurpstats"


class TestCase(unittest.TestCase):
    """A test with a directory of its own, which is the default one of models."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        earlier = os.environ.get("MMSTATS_PATH")
        os.environ["MMSTATS_PATH"] = str(self.directory)
        self.addCleanup(restore, "MMSTATS_PATH", earlier)

    def files(self):
        return sorted(self.directory.glob("*"))

    def values(self):
        """The values of all files by label: numbers are added, texts are collected."""
        sums = {}
        for field in mmstats.read(self.directory):
            value = field.value
            if isinstance(value, mmstats.Distribution):
                value = value.count
            if isinstance(value, str):
                sums.setdefault(field.label, set()).add(value)
            else:
                sums[field.label] = sums.get(field.label, 0) + value
        return sums

    def start(self, program, *arguments):
        """Starts a Python program whose files are in the directory."""
        script = self.directory.parent / f"{self.directory.name}.py"
        script.write_text(program)
        self.addCleanup(script.unlink, missing_ok=True)
        running = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(end, running)
        return running

    def run_program(self, program):
        """Runs a Python program to its end, and returns its output."""
        running = self.start(program)
        output, _ = running.communicate(timeout=60)
        self.assertEqual(running.returncode, 0)
        return output


def restore(name, value):
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def end(running):
    if running.poll() is None:
        running.kill()
    running.wait()
    for pipe in (running.stdin, running.stdout):
        if pipe and not pipe.closed:
            pipe.close()


def slurpstats(path):
    """What slurpstats prints of a file: texts by label."""
    output = subprocess.run([SLURPSTATS, path], check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = output.strip().splitlines()[1:]
    pairs = (line.strip().partition(" ") for line in lines)
    return {label: value.strip() for label, _, value in pairs}


def independent(path):
    """What the independent reader makes of a file: values by label."""
    command = [sys.executable, ROOT / "tests" / "independent.py", "dump", path]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    fields = map(json.loads, output.splitlines())
    return {field["label"]: field for field in fields}
