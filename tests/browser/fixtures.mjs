// Stats files of version 1, written byte by byte: hostile ones, and those of an ended process.

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { endianness } from "node:os";
import { join } from "node:path";

import { atExit } from "./cleanup.mjs";

/** A text with markup, quotes and control characters. */
export const HOSTILE = `<img src=x onerror="alert(1)">'"&amp;<script>alert(2)</script>\u202e\u001b[31m\u0007\u2028{{q}}`;
/** The same text as the page must show it. */
export const ESCAPED = `<img src=x onerror="alert(1)">'"&amp;<script>alert(2)</script>\\u202e\\x1b[31m\\x07\\u2028{{q}}`;

/** Labels of the demo: a counter of several writers, a counter of bytes, and a histogram. */
export const OK = 'http.requests{method="GET",status="200"}';
export const SENT = "http.sent";
export const LATENCY = "http.latency";

const little = endianness() === "LE";

function encodeInteger(bytes, value) {
    const buffer = Buffer.alloc(bytes);
    buffer[little ? "writeUIntLE" : "writeUIntBE"](value, 0, Math.min(bytes, 6));
    return buffer;
}

function encodeField([label, type, value]) {
    const text = (text) => [encodeInteger(2, Buffer.byteLength(text)), Buffer.from(text)];
    const sizes = { Q: 8, q: 8, I: 4 };
    const size = sizes[type] ?? parseInt(type, 10);
    const data =
        type in sizes
            ? encodeInteger(size, value)
            : Buffer.concat([Buffer.from(value), Buffer.alloc(size)]).subarray(0, size);
    return [...text(label), ...text(type), Buffer.from([0xff]), data];
}

function writeFile(path, fields) {
    const data = Buffer.concat([Buffer.from([1]), ...fields.flatMap(encodeField), Buffer.alloc(2)]);
    writeFileSync(path, Buffer.concat([data, Buffer.alloc(4096 - (data.length % 4096))]));
}

/** Creates a directory for stats in memory; it is removed when this process exits. */
export function createDirectory() {
    const path = mkdtempSync("/dev/shm/mmash-page-");
    atExit(() => rmSync(path, { recursive: true, force: true }));
    return path;
}

/** Copies the golden files of a version into a directory. */
export function copyGolden(path, golden) {
    readdirSync(golden)
        .filter((name) => name.endsWith(".mmstats"))
        .forEach((name) => cpSync(join(golden, name), join(path, name)));
}

/** Writes a live writer with hostile texts, an ended writer, and an invalid file. */
export function publish(path) {
    writeFile(join(path, "hostile<b>\u202e.mmstats"), [
        ["hostile.sys.pid", "I", process.pid],
        [`hostile.${HOSTILE}`, "Q", 7],
        ["hostile.text", "200s", HOSTILE],
        [`hostile.count{who="${HOSTILE}"}`, "Q", 1],
    ]);
    writeFile(join(path, "ended.mmstats"), [
        ["ended.sys.pid", "I", spawnSync("true").pid],
        ["ended.jobs", "Q", 1234567],
    ]);
    writeFileSync(join(path, "broken.mmstats"), "not a stats file");
}

/** Writes `writers` files of `fields` fields each, with the same labels or with different ones. */
export function publishMany(path, writers, fields, { sameLabels }) {
    for (let writer = 0; writer < writers; writer += 1) {
        const prefix = sameLabels ? "many" : `many${writer}`;
        const all = Array.from({ length: fields }, (_, index) => [
            `${prefix}.stat${index}`,
            "Q",
            index,
        ]);
        writeFile(join(path, `many-${writer}.mmstats`), [
            [`${prefix}.sys.pid`, "I", process.pid],
            ...all,
        ]);
    }
}
