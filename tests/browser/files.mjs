// Stats of version 1, byte by byte: what nobody should publish, and what a process left that has
// ended.

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { endianness } from "node:os";
import { join } from "node:path";

import { atExit } from "./exit.mjs";

/** A text full of what a page could take for something else. */
export const HOSTILE = `<img src=x onerror="alert(1)">'"&amp;<script>alert(2)</script>\u202e\u001b[31m\u0007\u2028{{q}}`;
/** The same as it is to be seen. */
export const HARMLESS = `<img src=x onerror="alert(1)">'"&amp;<script>alert(2)</script>\\u202e\\x1b[31m\\x07\\u2028{{q}}`;

/** Labels of the demo: a counter of several writers, one of bytes, and a histogram. */
export const OK = 'http.requests{method="GET",status="200"}';
export const SENT = "http.sent";
export const LATENCY = "http.latency";

const little = endianness() === "LE";

function integer(bytes, value) {
    const buffer = Buffer.alloc(bytes);
    buffer[little ? "writeUIntLE" : "writeUIntBE"](value, 0, Math.min(bytes, 6));
    return buffer;
}

function field([label, type, value]) {
    const text = (text) => [integer(2, Buffer.byteLength(text)), Buffer.from(text)];
    const sizes = { Q: 8, q: 8, I: 4 };
    const size = sizes[type] ?? parseInt(type, 10);
    const data = type in sizes ? integer(size, value) : Buffer.concat([Buffer.from(value), Buffer.alloc(size)]).subarray(0, size);
    return [...text(label), ...text(type), Buffer.from([0xff]), data];
}

function write(path, fields) {
    const data = Buffer.concat([Buffer.from([1]), ...fields.flatMap(field), Buffer.alloc(2)]);
    writeFileSync(path, Buffer.concat([data, Buffer.alloc(4096 - (data.length % 4096))]));
}

/** A directory for stats, in memory; it is removed when this process ends. */
export function directory() {
    const path = mkdtempSync("/dev/shm/mmash-page-");
    atExit(() => rmSync(path, { recursive: true, force: true }));
    return path;
}

/** Copies the golden files of a version. */
export function copy(path, golden) {
    readdirSync(golden).filter((name) => name.endsWith(".mmstats")).forEach((name) => cpSync(join(golden, name), join(path, name)));
}

/** Fills a directory: a hostile writer that runs, one that has ended, and a file that is no stats. */
export function publish(path) {
    write(join(path, "hostile<b>\u202e.mmstats"), [
        ["hostile.sys.pid", "I", process.pid],
        [`hostile.${HOSTILE}`, "Q", 7],
        ["hostile.text", "200s", HOSTILE],
        [`hostile.count{who="${HOSTILE}"}`, "Q", 1],
    ]);
    write(join(path, "ended.mmstats"), [
        ["ended.sys.pid", "I", spawnSync("true").pid],
        ["ended.jobs", "Q", 1234567],
    ]);
    writeFileSync(join(path, "broken.mmstats"), "no stats");
}

/** Adds so many writers, each with so many fields; their labels are all the same, or all others. */
export function publishMany(path, writers, fields, same) {
    for (let writer = 0; writer < writers; writer += 1) {
        const prefix = same ? "many" : `many${writer}`;
        const all = Array.from({ length: fields }, (_, index) => [`${prefix}.stat${index}`, "Q", index]);
        write(join(path, `many-${writer}.mmstats`), [[`${prefix}.sys.pid`, "I", process.pid], ...all]);
    }
}
