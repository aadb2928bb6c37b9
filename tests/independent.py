#!/usr/bin/env python3
"""An independent implementation of mmstats-core/FORMAT.md, written from that document only. It
shares no code with the Rust implementation.

    independent.py dump FILE...              print every field as one line of JSON;
                                             --directory FILE gives an external directory
    independent.py live FILE LABEL SECONDS   sample one field of a file that is being written
    independent.py write v1|v2 OUT           write a file with everything in the format, and the
                                             expected output of dump in OUT.json

Python has no fences: reading a file while it is written requires a machine that keeps the order of
loads (x86).
"""

import argparse
import itertools
import json
import math
import mmap
import re
import struct
import sys
import time
import zlib
from collections import namedtuple

MAGIC = b"\x02MMSTATS"
HEADER_SIZE, ENTRY_SIZE = 40, 28
ENTRY_HEAD = "IIIBBBbIHHBBBB"
TRIES = 100
KINDS = ("untyped", "counter", "gauge", "info", "histogram")
AGGREGATIONS = ("", "sum", "mean", "min", "max", "last", "", "")
ACCESSES = ("constant", "word", "latched")
V2_TYPES = "?bBhHiIqQfds"
SIZES = dict(zip("?bBchHeiIflLqQnNd", (1, 1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8)))
SIGNED, FLOATS = "bhilqn", "efd"
PREFIX = {"little": "<", "big": ">"}
ORDERS = {"<": "little", ">": "big", "!": "big"}
LOADS = {1: "B", 2: "H", 4: "I", 8: "Q"}  # memoryview's native items, each loaded at once
V1_TYPE = re.compile(rb"([@=<>!]?)[ \t\n\v\f\r]*([0-9]*)([?bBhHiIlLqQnNefdcsp])[ \t\n\v\f\r]*")

Field = namedtuple("Field", "info read")  # info: for dump; read(view): the value
Header = namedtuple("Header", "order word length external directory published layout")

class Damage(Exception):
    """The bytes break a rule of the format."""

class Contended(Exception):
    """The bytes changed too often to be read."""

def require(condition, message, *values):
    if not condition:
        raise Damage(message % values)

# Both versions: sizes and values

def round_up(number, to):
    return -(-number // to) * to

def bucket_count(p, n):
    return (n - p + 1) << p

def bucket_bounds(index, p, n):
    s = max((index >> p) - 1, 0)
    m = index - (s << p)
    return m << s, None if index == bucket_count(p, n) - 1 else ((m + 1) << s) - 1

def load(view, at, size):
    """Return the bytes of one load."""
    return view[at:at + size].cast(LOADS[size])[0].to_bytes(size, sys.byteorder)

def fetch(view, at, size):
    return load(view, at, size) if size in LOADS else bytes(view[at:at + size])

def load_u32(view, at, order):
    return int.from_bytes(load(view, at, 4), order)

def decode(letter, raw, order):
    if letter == "?":
        return raw != b"\0"
    if letter in FLOATS:
        return struct.unpack(PREFIX[order] + letter, raw)[0]
    if letter in "sp":
        text = raw.split(b"\0")[0] if letter == "s" else raw[1:][:raw[0] if raw else 0]
        return text.decode(errors="replace")
    return int.from_bytes(raw, order, signed=letter in SIGNED)

def properties(flags):
    """Return the properties that an entry states."""
    stated = {"aggregation": AGGREGATIONS[flags & 7]} if AGGREGATIONS[flags & 7] else {}
    return stated | ({"kept": True} if flags & 8 else {})

def plain(value):
    """Return a value that JSON can represent."""
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)

def read_consistent(guard, copy):
    """Return copy(seen) if guard() returned `seen` before and after it."""
    for _ in range(TRIES):
        seen = guard()
        copied = copy(seen)
        if guard() == seen:
            return copied
    raise Contended("it changed too often to be read")

def read_buffers(view, at, size):
    """Read a value of version 1; `at` is the offset of its write buffer index."""
    return read_consistent(lambda: view[at], lambda index: fetch(view, at + 1 + (size if index == 0 else 0), size))

def read_latch(view, at, size, header):
    sequence_at, stride = at + 2 * round_up(size, header.word), round_up(size, header.word)
    return read_consistent(lambda: load_u32(view, sequence_at, header.order),
                  lambda sequence: bytes(view[at + sequence % 2 * stride:][:size]))

def read_histogram(view, at, size, letter, p, n, header):
    start = at + size - bucket_count(p, n) * SIZES[letter]
    counts = view[start:at + size].cast(letter).tolist()
    if header.order != sys.byteorder:
        counts = [int.from_bytes(count.to_bytes(SIZES[letter], sys.byteorder), header.order) for count in counts]
    raw = load(view, at, 8) if header.word == 8 else read_latch(view, at, 8, header)
    return {"sum": int.from_bytes(raw, header.order), "count": sum(counts) % 2 ** 64, "p": p, "n": n, "type": letter,
            "buckets": [[*bucket_bounds(i, p, n), count] for i, count in enumerate(counts) if count]}

# Reading files

def open_view(path):
    with open(path, "rb") as file:
        require(file.seek(0, 2), "truncated: empty file")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

def examine(view, directory=None):
    """Return all fields, and the errors that leave other fields readable."""
    start = bytes(view[:8])
    require(start[0] != 0, "uninitialised or removed")
    require(start == MAGIC or not (start[1:] == MAGIC[1:] or 3 <= start[0] <= 8), "version %d is unknown", start[0])
    require(start[0] == 1 or start == MAGIC or not MAGIC.startswith(start), "truncated in its magic")
    require(start[0] == 1 or start == MAGIC, "not mmstats")
    return examine_v1(view) if start[0] == 1 else examine_v2(view, directory)

def stamp(view):
    """Return the bytes that change when a region is reinitialised or removed."""
    return view[0] if view[0] == 1 or len(view) < HEADER_SIZE else (load(view, 32, 4), load(view, 0, 8))

def canonical(letter, size):
    """Return the canonical one of several equivalent letters."""
    return {"c": "s", "l": "i" if size == 4 else "q", "L": "I" if size == 4 else "Q", "n": "q", "N": "Q"}.get(letter, letter)

def v1_type(letter, size):
    return "%d%s" % (size, letter) if letter in "sp" else letter

def parse_v1_type(text, order):
    """Return the letter, size and byte order of a value."""
    match = V1_TYPE.fullmatch(text)
    require(match, "type %r is unknown", text)
    prefix, count, letter = (part.decode() for part in match.groups())
    number = int(count.lstrip("0")[:9] or 0) if count else 1
    standard = prefix not in ("", "@")
    require((number == 1 or letter in "sp") and not (standard and letter in "nN"), "type %r is not allowed", text)
    size = number if letter in "sp" else 4 if standard and letter in "lL" else SIZES[letter]
    return canonical(letter, size), size, ORDERS.get(prefix, order)

def walk_v1(view, order):
    """Return the fields, and the error that ended the walk, if any."""
    fields, at = [], 1

    def take(size):
        nonlocal at
        require(size <= len(view) - at, "the field at %d is truncated", at)
        at += size
        return bytes(view[at - size:at])

    try:
        while len(view) - at >= 2:
            label_size = int.from_bytes(take(2), order)
            if label_size == 0:
                break
            label = take(label_size).decode(errors="replace")
            letter, size, value_order = parse_v1_type(take(int.from_bytes(take(2), order)), order)
            place, buffer = at, take(1)[0]
            require(buffer in (0, 1, 255), "write buffer %d at %d is unknown", buffer, place)
            take(size if buffer == 255 else 2 * size)
            fields.append(Field({"label": label, "version": 1, "byte_order": order, "type": v1_type(letter, size)},
                                lambda view, place=place, size=size, letter=letter, value_order=value_order:
                                decode(letter, read_buffers(view, place, size), value_order)))
    except Damage as damage:
        return fields, [str(damage)]
    return fields, []

def examine_v1(view):
    walks = [walk_v1(view, order) for order in sorted(PREFIX, key=lambda order: order != sys.byteorder)]
    return max(walks, key=lambda walk: (not walk[1], 0 if not walk[1] else len(walk[0])))

def read_header(view):
    require(len(view) >= HEADER_SIZE, "truncated in its header")
    order = {b"\x02\x01": "little", b"\x01\x02": "big"}.get(bytes(view[8:10]))
    require(order, "byte order %s is unknown", bytes(view[8:10]).hex())
    published = load_u32(view, 36, order)  # before layout: a writer stores them the other way round
    layout = load_u32(view, 28, order)
    word, flags, length, directory, check = struct.unpack(PREFIX[order] + "BBIQI", bytes(view[10:28]))
    require(check == zlib.crc32(view[:24]), "damaged header: the check is %08x", check)
    require(not flags & 0x0C and flags & 3 != 2, "header flags %02x are not known", flags)
    require(word in (4, 8), "word %d is unknown", word)
    if flags & 1:
        require(directory % 4 == 0, "invalid directory address %#x", directory)
        return Header(order, word, length, True, directory, published, layout)
    require(HEADER_SIZE <= directory <= length and directory % 4 == 0, "invalid directory offset %d", directory)
    return Header(order, word, length, False, directory, published, layout)

def entry_length(view, at, end, order):
    require(end - at >= ENTRY_SIZE, "truncated")
    length, label, help_, unit = struct.unpack(PREFIX[order] + "I16xHHB3x", bytes(view[at:at + ENTRY_SIZE]))
    possible = length % 4 == 0 and ENTRY_SIZE + label + help_ + unit <= length <= min(end - at, 262144)
    require(possible, "invalid length %d", length)
    return length

def layout_agrees(view, header, end, limit):
    """Return True if layout is the CRC of the published entries, or of these and whole later ones."""
    crc = zlib.crc32(view[header.directory:end])
    try:
        while crc != header.layout:
            length = entry_length(view, end, limit, header.order)
            crc = zlib.crc32(view[end:end + length], crc)
            end += length
    except Damage:
        return False
    return True

def examine_v2(view, directory):
    header = read_header(view)
    if header.external:
        return examine_external(view, header, directory)
    fields, problems = [], []
    limit = min(header.length, len(view))
    end = header.directory + max(min(header.published, limit - header.directory), 0) // 4 * 4
    good = header.directory + header.published <= header.length and header.published % 4 == 0
    if not good:
        problems.append("published cannot be %d" % header.published)
    if not layout_agrees(view, header, end, limit):
        problems.append("its directory is damaged: layout is not its CRC")
    at = header.directory
    while at < end:
        length = end  # without a good length the walk ends
        try:
            length = entry_length(view, at, end, header.order)
            fields.append(parse_entry(view, header, bytes(view[at:at + length]), end if good else at + length))
        except Damage as damage:
            problems.append("entry at %d: %s" % (at, damage))
        at += length
    return fields, problems

def examine_external(view, header, directory):
    require(directory is not None and len(directory) >= header.published, "external directory at %#x: not given", header.directory)
    directory = directory[:header.published]
    require(zlib.crc32(directory) == header.layout, "the directory is of another program: its CRC is not the layout")
    fields, problems, at = [], [], 0
    while at < len(directory):
        length = len(directory)
        try:
            length = entry_length(directory, at, len(directory), header.order)
            fields.append(parse_entry(view, header, directory[at:at + length], HEADER_SIZE))
        except Damage as damage:
            problems.append("entry at %d of the directory: %s" % (at, damage))
        at += length
    return fields, problems

def parse_entry(view, header, entry, directory_end):
    order, word = header.order, header.word
    (length, offset, size, kind, letter, access, scale, divisor, label_size, help_size, unit_size, p, n, flags) = struct.unpack(
        PREFIX[order] + ENTRY_HEAD, entry[:ENTRY_SIZE])
    unit_at = ENTRY_SIZE + label_size
    help_at, end = unit_at + unit_size, unit_at + unit_size + help_size
    label, unit, help_ = (entry[a:b].decode(errors="replace") for a, b in ((ENTRY_SIZE, unit_at), (unit_at, help_at), (help_at, end)))
    letter, kind = chr(letter), KINDS[kind] if kind < len(KINDS) else "untyped"
    require(label, "empty label")
    require(letter in V2_TYPES, "%s: type %r is unknown", label, letter)
    require(access < len(ACCESSES), "%s: access %d is unknown", label, access)
    access = ACCESSES[access]
    space, alignment = size, word
    if kind == "histogram":
        require(access == "word" and letter in "IQ" and SIZES[letter] <= word, "%s: histogram of type %s, %s", label, letter, access)
        possible = p < n <= 64 and p <= 24 and size == (8 if word == 8 else 20) + bucket_count(p, n) * SIZES[letter]
        require(possible, "%s: invalid histogram with p %d, n %d and %d bytes", label, p, n, size)
    else:
        require(letter == "s" or size == SIZES[letter], "%s: invalid size of type %s: %d bytes", label, letter, size)
        if access == "word":
            require(letter != "s" and size <= word, "%s: type %s cannot be a word", label, letter)
            alignment = size
        else:
            space = 2 * round_up(size, word) + 4
    if access == "constant" and header.external:
        require(HEADER_SIZE <= offset and offset + size <= min(header.length, len(view)), "%s: invalid offset of a constant: %d", label, offset)
    elif access == "constant":
        require(end <= offset and offset + size <= length, "%s: the constant is not after the texts of its entry", label)
    else:
        require(offset % alignment == 0, "%s: the value at %d is not aligned to %d", label, offset, alignment)
        apart = offset >= directory_end or HEADER_SIZE <= offset and offset + space <= header.directory and not header.external
        require(apart and offset + space <= header.length, "%s: invalid offset of a value: %d", label, offset)
        require(offset + space <= len(view), "%s: the value is cut off", label)

    def read(view):
        if kind == "histogram":
            return read_histogram(view, offset, size, letter, p, n, header)
        raw = (bytes(view[offset:offset + size]) if access == "constant" and header.external
               else entry[offset:offset + size] if access == "constant" else load(view, offset, size) if access == "word"
               else read_latch(view, offset, size, header))
        return decode(letter, raw, order)

    return Field({"label": label, "version": 2, "byte_order": order, "type": letter, "kind": kind, "access": access, "unit": unit,
                  "scale": scale, "divisor": divisor or 1, "help": help_, "size": size} | properties(flags), read)

# Commands: dump and live

def report(path, problem):
    what = str(getattr(problem, "strerror", None) or problem)
    print("%s: %s" % (path, what.replace("\n", "\\n")), file=sys.stderr)
    return 1

def read_values(view, directory):
    """Return the records that dump prints for a file, and its errors."""
    records = []
    fields, problems = examine(view, directory)
    for field in fields:
        try:
            records.append({**field.info, "value": plain(field.read(view))})
        except Contended as error:
            problems.append("%s: %s" % (field.info["label"], error))
    return records, problems

def dump(paths, directory):
    status = 0
    for path in paths:
        try:
            view = open_view(path)
            records, problems = read_consistent(lambda: stamp(view), lambda _: read_values(view, directory))
        except (Damage, Contended, OSError) as error:
            records, problems = [], [error]
        for record in records:
            print(json.dumps({"file": path, **record}))
        for problem in problems:
            status = report(path, problem)
    return status

def live(path, label, seconds, halves):
    values, reads, contended, decreasing, torn, status = [None, None], 0, 0, 0, 0, 0  # values: the first and the last
    before, end = None, time.monotonic() + seconds
    try:
        view = open_view(path)
        while time.monotonic() < end:
            if before is None or stamp(view) != before:
                before = stamp(view)
                field = next((field for field in examine(view)[0] if field.info["label"] == label), None)
                require(field, "no field %s", label)
            try:
                value = field.read(view)
            except Contended:
                contended += 1
                continue
            if stamp(view) == before:
                decreasing += reads > 0 and rank(value) < rank(values[1])
                torn += halves and not equal_halves(value)
                values = [values[0] if reads else value, value]
                reads += 1
    except (Damage, OSError) as error:
        status = report(path, error)
    print(json.dumps({"reads": reads, "contended": contended, "first": plain(values[0]), "last": plain(values[1]), "decreasing": decreasing, "torn": torn}))
    return status

def rank(value):
    return value["count"] if isinstance(value, dict) else value

def equal_halves(value):
    return value[:len(value) // 2] == value[len(value) // 2:] if isinstance(value, str) else value >> 32 == value & 0xFFFFFFFF

# Command: write

TEXTS = [("grüße ☃ 😀".encode(), "grüße ☃ 😀"), (b"short\0 \xff not this", "short"), (bytes(5), ""), (b"Z", "Z"),
         (b"caf\xc3", "caf\ufffd"), (b"a\xffb\xf0\x9f\x98\0", "a\ufffdb\ufffd"), (b"0123456789" * 30, "0123456789" * 30)]
OTHERS = {"s": TEXTS, "p": [(b"\x05hello!!", "hello"), (b"\0no", ""), (b"\x03\xe2\x98\x83", "☃"), (b"\0", "")],
          "c": [(b"A", "A"), (b"\0", "")], "?": [(b"\0", False), (b"\1", True), (b"\x80", True)]}
REALS = {"e": [-0.5, 65504.0, 2.0 ** -24], "f": [0.3333333432674408, 3.4028234663852886e38, -2.0 ** -149],
         "d": [-0.1, 1.7976931348623157e308, 5e-324]}
PREFIXED = ("1Q", "01Q", "000001h", "<Q", ">Q", "!q", "=l", "=L", "<l", ">L", "@n", "@N", "@l", "=H", " Q", "\t\n\v\f\r q \t\n\v\f\r",
            "< I", ">\t01i ", "!d", "<f", ">e", ">?", "!01b  ")
LONG_LABEL = "größe.日本語." + "x" * 300
SEQUENCES = (0, 1, 0xFFFFFFFF, 0x80000000)
DETAILED = (('http.requests{method="GET",code="200"}', "", 0, 0, "Requests, by method."), ("clock", "unixtime", -9, 3, "h" * 0x0203),
            ("room.temperature", "celsius", -2, 1, "in Größe: °C ☃"), (LONG_LABEL, "seconds", -128, 0xFFFFFFFF, ""),
            ("unit.long", "u" * 255, 127, 0x01020304, "help"))

def samples(letter, size, order):
    """Return pairs of bytes and value that distinguish signs, widths and byte orders."""
    if letter in OTHERS:
        return OTHERS[letter]
    if letter in FLOATS:
        return [(struct.pack(PREFIX[order] + letter, value), value) for value in REALS[letter] + [-0.0, float("nan"), float("-inf")]]
    pattern, half, signed = int.from_bytes(range(1, size + 1), "big"), 1 << 8 * size - 1, letter in SIGNED
    return [(value.to_bytes(size, order, signed=signed), value)
            for value in ((-pattern, -half, half - 1) if signed else (pattern, 2 * half - 1, half))]

def decoy(letter, raw):
    """Return bytes of the same size with another value."""
    return bytes([raw == b"\0"]) if letter == "?" else bytes(byte ^ 0xFF for byte in raw)

def build_v1(order, word, exact):
    data, expected = bytearray(b"\1"), []

    def add(label, type_, alignment, buffer, letter, raw, value):
        name, other = label.encode(), decoy(letter, raw)
        type_ += b" " * (-(len(data) + 2 + len(name) + 2 + len(type_) + 1) % alignment)
        data.extend(len(name).to_bytes(2, order) + name + len(type_).to_bytes(2, order) + type_ + bytes([buffer]))
        data.extend({0: other + raw, 1: raw + other, 255: raw}[buffer])
        expected.append({"label": label, "value": plain(value), "version": 1, "byte_order": order,
                         "type": v1_type(canonical(letter, len(raw)), len(raw))})

    for letter in [*SIZES, "s", "p"]:
        text = letter in "csp"
        for i, (raw, value) in enumerate(samples(letter, SIZES.get(letter), order)):
            single = letter in "?bBcsp" if exact else not text and len(raw) <= word
            add("v1.%s.%d" % (letter, i), (b"%d" % len(raw) if letter in "sp" else b"") + letter.encode(),
                1 if exact else 4 if text else len(raw), 255 if single else i % 2, letter, raw, value)
    for i, type_ in enumerate(PREFIXED):
        letter, prefix = type_.strip(" \t\n\v\f\r")[-1], type_[0]
        size = 4 if prefix in "=<>!" and letter in "lL" else SIZES[letter]
        for buffer, (raw, value) in zip((0, 1, 255), samples(letter, size, ORDERS.get(prefix, order))):
            add("type.%d.%d" % (i, buffer), type_.encode(), 1, buffer, letter, raw, value)
    add("text.one", b"s", 1, 255, "s", b"Z", "Z")
    add("text.zeros", b"<005s", 1, 1, "s", b"abc\0\0", "abc")
    add(LONG_LABEL, b"H", 1, 0, "H", (0x0102).to_bytes(2, order), 0x0102)
    return bytes(data).ljust(round_up(len(data) + 2, 4096), b"\0"), expected

def latch(letter, raw, order, word, sequence):
    good, bad = (part.ljust(round_up(len(raw), word), b"\xEE") for part in (raw, decoy(letter, raw)))
    return (bad + good if sequence % 2 else good + bad) + sequence.to_bytes(4, order)

def histogram(letter, p, n, times, order, word, sequence):
    """Return the block of a histogram with these values and counts, and its expected output."""
    total = sum(value * count for value, count in times.items()) % 2 ** 64
    counts = [0] * bucket_count(p, n)
    for value, count in times.items():
        e = value.bit_length() - 1
        counts[-1 if value >= 1 << n else value if value < 2 << p else ((e - p) << p) + (value >> (e - p))] += count
    raw = total.to_bytes(8, order)
    block = raw if word == 8 else latch("Q", raw, order, word, sequence)
    ranges = [[value, value] for value in range(2 << p)]  # the buckets in another way, by counting up
    for e in range(p + 1, n):
        ranges += [[low, low + (1 << e - p) - 1] for low in range(1 << e, 2 << e, 1 << e - p)]
    ranges[-1][1] = None
    buckets = [[low, high, sum(count for value, count in times.items() if low <= value and (high is None or value <= high))]
               for low, high in ranges]
    return block + b"".join(count.to_bytes(SIZES[letter], order) for count in counts), {
        "sum": total, "count": sum(times.values()), "p": p, "n": n, "type": letter, "buckets": [b for b in buckets if b[2]]}

def build_v2(order, word, external):
    entries, values, expected = [], b"", []  # entries: still without the region's length

    def add(label, kind, letter, access, size, block, alignment, value, unit="", scale=0, divisor=1, help_="", p=0, n=0):
        nonlocal values
        texts = [text.encode() for text in (label, unit, help_)]
        tail = b"".join(texts)
        if access == "constant" and not external:
            offset, tail = ENTRY_SIZE + len(tail), tail + block
        else:
            alignment = 1 if access == "constant" else alignment
            offset = (-len(values) - len(block)) // alignment * alignment  # from the region's end
            values = block.ljust(-offset - len(values), b"\0") + values
        count = len(entries)  # for what readers skip: trailing bytes, unknown kinds, flags
        tail += b"\xEE" * (count % 3) + bytes(-(len(tail) + count % 3) % 4 + count % 2 * 4)
        number = 0x4D if kind == "untyped" and count % 2 else KINDS.index(kind)
        entries.append((offset, [size, number, ord(letter), ACCESSES.index(access), scale, divisor, len(texts[0]),
                                 len(texts[2]), len(texts[1]), p, n, count % 16 | count % 2 * 0xA0], tail))
        expected.append({"label": label, "value": plain(value), "version": 2, "byte_order": order, "type": letter, "kind": kind,
                         "access": access, "unit": unit, "scale": scale, "divisor": divisor or 1, "help": help_, "size": size} | properties(count))

    def next_sequence():
        return SEQUENCES[len(expected) % len(SEQUENCES)]

    for access, letter in itertools.product(ACCESSES, V2_TYPES):
        if access != "word" or SIZES.get(letter, 99) <= word:
            for i, (raw, value) in enumerate(samples(letter, SIZES.get(letter), order)):
                block = latch(letter, raw, order, word, next_sequence()) if access == "latched" else raw
                add("%s.%s.%d" % (access, letter, i), KINDS[i % 4], letter, access, len(raw), block,
                    len(raw) if access == "word" else word, value)
    for label, unit, scale, divisor, help_ in DETAILED:
        add(label, "counter", "I", "word", 4, (0x01020304).to_bytes(4, order), 4, 0x01020304, unit, scale, divisor, help_)
    for letter, p, n in (("I", 2, 20), ("I", 0, 64), ("Q", 5, 40)):
        if SIZES[letter] <= word:
            marks = (0, 1, (2 << p) - 1, 2 << p, (2 << p) + 1, 3 << n - 2, (1 << n) - 1, 1 << n, 2 ** 64 - 1)
            times = {value: 0x0102 + i for i, value in enumerate(marks) if value < 2 ** 64}
            times[0] = {"I": 0xFFFFFFFF, "Q": 0x0102030405060708}[letter]
            block, value = histogram(letter, p, n, times, order, word, next_sequence())
            add("latency.%s.%d.%d" % (letter, p, n), "histogram", letter, "word", len(block), block, word, value,
                "seconds", -6, 1, "How long it took.", p, n)
    size = sum(ENTRY_SIZE + len(tail) for _, _, tail in entries)
    if external:
        length = round_up(HEADER_SIZE + len(values), 8)
        directory = pack_entries(entries, length, order)
        flags = 0x01 if word == 8 else 0x03  # the directory is in flash, or only in the ELF file
        start = struct.pack(PREFIX[order] + "8sHBBIQ", MAGIC, 0x0102, word, flags, length, 0x08001234)
        header = start + struct.pack(PREFIX[order] + "IIII", zlib.crc32(start), zlib.crc32(directory), 7, size)
        return header.ljust(length - len(values), b"\xEE") + values, expected, directory
    add("not.published.yet", "gauge", "B", "constant", 1, b"\x01", 1, 1)
    del expected[-1]
    ahead = ENTRY_SIZE + len(entries[-1][2])
    at = HEADER_SIZE + 24
    length = round_up(at + size + ahead + len(values), 8)
    directory = pack_entries(entries, length, order)
    start = struct.pack(PREFIX[order] + "8sHBBIQ", MAGIC, 0x0102, word, 0xF0, length, at)
    header = start + struct.pack(PREFIX[order] + "IIII", zlib.crc32(start), zlib.crc32(directory), 0xFFFFFFFF, size)
    return (header.ljust(at, b"\xEE") + directory).ljust(length - len(values), b"\0") + values, expected, None

def pack_entries(entries, length, order):
    return b"".join(struct.pack(PREFIX[order] + ENTRY_HEAD, ENTRY_SIZE + len(tail), offset + (length if offset < 0 else 0), *rest)
                    + tail for offset, rest, tail in entries)

def write(version, path, order, word, exact, external):
    data, expected, directory = (*build_v1(order, word, exact), None) if version == "v1" else build_v2(order, word, external)
    if directory is not None:
        with open(path + ".directory", "wb") as file:
            file.write(directory)
    with open(path, "wb") as file:
        file.write(data)
    with open(path + ".json", "w", encoding="ascii") as file:
        file.write(json.dumps(expected, indent=1) + "\n")
    return 0

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("dump")
    command.add_argument("files", nargs="+")
    command.add_argument("--directory", type=argparse.FileType("rb"), help="the external directory of the regions")
    command.set_defaults(run=lambda options: dump(options.files, options.directory and options.directory.read()))
    command = commands.add_parser("live")
    command.add_argument("file")
    command.add_argument("label")
    command.add_argument("seconds", type=float)
    command.add_argument("--halves", action="store_true", help="count values whose halves differ: those of a text, or the words of 4 bytes of a number")
    command.set_defaults(run=lambda options: live(options.file, options.label, options.seconds, options.halves))
    command = commands.add_parser("write")
    command.add_argument("version", choices=("v1", "v2"))
    command.add_argument("out")
    command.add_argument("--byte-order", choices=("little", "big"), default=sys.byteorder)
    command.add_argument("--word", type=int, choices=(4, 8), default=8)
    command.add_argument("--exact", action="store_true", help="version 1 without padding, with the original's buffers")
    command.add_argument("--external", action="store_true", help="version 2 with an external directory, in OUT.directory")
    command.set_defaults(run=lambda options: write(options.version, options.out, options.byte_order, options.word, options.exact, options.external))
    options = parser.parse_args()
    return options.run(options)

if __name__ == "__main__":
    sys.exit(main())
