#!/usr/bin/env python3
"""Writes the first corpus of each fuzz target: seeds.py GOLDEN CORPUS.

Everything is grown from the golden files: regions and their external directories, whole and cut
off, and as the images, HEX, S-record and core files that hold them.
"""

import struct
import sys
from pathlib import Path

golden, corpus = map(Path, sys.argv[1:])


def write(target, name, data):
    folder = corpus / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data)


def intel_hex(data, address):
    def record(kind, offset, payload):
        body = bytes([len(payload), offset >> 8, offset & 0xFF, kind]) + payload
        return f":{(body + bytes([-sum(body) & 0xFF])).hex().upper()}\n"

    lines = [record(4, 0, struct.pack(">H", address >> 16))]
    for at in range(0, len(data), 16):
        lines.append(record(0, (address + at) & 0xFFFF, data[at : at + 16]))
    return "".join([*lines, record(1, 0, b"")]).encode()


def s_records(data, address):
    def record(kind, payload):
        body = bytes([len(payload) + 1]) + payload
        return f"S{kind}{body.hex().upper()}{~sum(body) & 0xFF:02X}\n"

    lines = [record(0, b"\0\0mmstats")]
    for at in range(0, len(data), 16):
        lines.append(record(3, struct.pack(">I", address + at) + data[at : at + 16]))
    return "".join([*lines, record(7, struct.pack(">I", address))]).encode()


def elf_core(data, address):
    """A core of one segment and a note that names a mapped file."""
    name = b"/dev/shm/web-1-1.mmstats\0"
    mapped = struct.pack("<5Q", 1, 4096, address, address + len(data), 0) + name
    note = struct.pack("<3I", 5, len(mapped), 0x46494C45) + b"CORE\0\0\0\0" + mapped
    note += bytes(-len(note) % 4)
    start = 64 + 2 * 56
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    segments = struct.pack("<IIQQQQQQ", 4, 4, start, 0, 0, len(note), 0, 4)
    size = len(data)
    segments += struct.pack("<IIQQQQQQ", 1, 6, start + len(note), address, 0, size, size, 4096)
    return header + segments + note + data


for file in sorted(golden.glob("*/*.mmstats")):
    region = file.read_bytes()
    external = file.with_name(f"{file.name}.directory")
    rest = external.read_bytes() if external.exists() else b""
    for suffix, length in [("", len(region)), ("-short", 400), ("-shorter", 160)]:
        cut = region[:length]
        seed = struct.pack("<BH", 1, len(cut)) + cut + rest[: 4 * length]
        for target in ["region", "stats_file"]:
            write(target, file.stem + suffix, seed)
    for mode in range(8):
        write("slurpstats", f"{file.stem}-{mode}", bytes([mode]) + region)
    for suffix, convert in [("hex", intel_hex), ("srec", s_records), ("core", elf_core)]:
        image = convert(bytes(64) + region[:2048], 0x2000_0000)
        write("slurpstats", f"{file.stem}-{suffix}", b"\1" + image)

# Texts as Pascal has them, which may contain NULs.
TEXT = b"\x04a\0b\n"
text = b"\1" + struct.pack("=H4sH2s", 4, b"text", 2, b"5p") + b"\xff" + TEXT + bytes(16)
for target in ["region", "stats_file"]:
    write(target, "pascal", struct.pack("<BH", 1, len(text)) + text)
write("slurpstats", "pascal", b"\1" + text)

FIELDS = (
    '[{"label":"a","unit":"","kind":1,"type":"Q","scale":0,"divisor":1},'
    '{"label":"h","unit":"seconds","kind":6,"type":"I","scale":-9,"divisor":1}]'
)
LINE = (
    '{{"time":{0}000000000,"elapsed":{0}000000000{1},"samples":[{{"id":1,"name":"a","version":2,'
    '"pid":7,"new":false,"fields":0,"values":[{{"u":{0}}},'
    '{{"h":[{0},[[0,0,1],[8,null,{0}]]]}}]}}]}}\n'
)
recording = LINE.format(1, f',"fields":[{FIELDS}]') + LINE.format(2, "") + LINE.format(5, "")
for mode in range(0, 128, 4):
    write("recording", str(mode), bytes([mode]) + recording.encode())

GDB = [b"PacketSize=1000", b"S05", b"00000000" * 25, b"E01", b"OK", b"00" * 100, b"", b"OK"]
QMP = [
    b'{"QMP":{"version":{},"capabilities":[]}}',
    b'{"return":{},"id":1}',
    b'{"event":"STOP"}',
    b'{"return":{},"id":2}',
    b'{"error":{"class":"GenericError","desc":"no"},"id":3}',
]
LABELS = [
    b'http.requests{method="GET",code="200"}',
    b'a{x="say \\"hi\\"\\\\\\n",file="f",le="1",__name__="n"}',
    b'b{}{"=,',
    b"<script>alert(1)</script>",
    b"\" onclick='x' &amp;",
    b"seconds_total",
]
for mode in range(8):
    for number, label in enumerate(LABELS):
        parts = [label, b"seconds", b"Help <b>&amp; \"text\"", b"other.label", b"", label]
        write("labels", f"{mode}-{number}", bytes([mode]) + b"\xff".join(parts))
        parts = [b"q=a+%3Cb%3E&plot=" + label, b"/dev/shm/" + label, label, *parts]
        write("page", f"{mode}-{number}", bytes([mode << 5 | mode]) + b"\xff".join(parts))
QUERIES = [b"all.*", b"all.counter&since=-30", b"*&match=[a-z]*", b"%2e%2e/x", b"sum", b"[!a]?**"]
for mode in range(64):
    for number, query in enumerate(QUERIES):
        write("queries", f"{mode}-{number}", bytes([mode]) + query)
GLOBS = [b"*.mmstats", b"*/x.mmstats", b"link/*", b"**/*.mmstats", b"d[[]a]/{PID}", b"{CMD}/"]
for mode in range(4):
    for number, glob in enumerate(GLOBS):
        write("globs", f"{mode}-{number}", bytes([mode]) + glob)

write("servers", "gdb", b"\0" + b"\xff".join(GDB))
write("servers", "gdb-damaged", b"\0" + b"\xff".join([b"$O4a#00", *GDB]))
write("servers", "qmp", b"\1" + b"\xff".join(QMP))
