// What the page's scripts promise that needs no browser: `node --test modules.mjs`, with the scripts in STATIC.

import assert from "node:assert/strict";
import { test } from "node:test";

const script = (name) => import(`${process.env.STATIC}/${name}.js`);
const { parse, number } = await script("exact");
const { count, perSecond, quantity } = await script("units");
const { glob, harmless } = await script("text");
const { lines } = await script("lines");
const { Row } = await script("stats");
const { align, linesOf, rollingMean, summary } = await script("series");

test("numbers keep all their digits", () => {
    const text = '{"a":18446744073709551615,"b":[-9223372036854775808,0.1,1e3],"c":"x:12345678901234567890,\\"1","d":12345678901234567.25,"e":0.30000000000000004}';
    assert.deepEqual(parse(text), {
        a: "18446744073709551615",
        b: ["-9223372036854775808", 0.1, 1000],
        c: 'x:12345678901234567890,"1',
        d: "12345678901234567.25",
        e: 0.30000000000000004,
    });
    assert.equal(number("18446744073709551615"), 2 ** 64);
    assert.deepEqual(["NaN", "-Infinity", null, true].map(number), [NaN, -Infinity, null, 1]);
});

test("numbers are as short as in the other tools", () => {
    const numbers = { 0: "0", 999.4: "999", 999.6: "1.00k", 1000: "1k", 1234: "1.23k", 45600000: "45.6M", "-1234": "-1.23k", "1e30": "1e30", 1.5: "1.50", 0.1234: "0.123", 0.0012: "0.0012", 0.00001: "1e-5" };
    Object.entries(numbers).forEach(([value, text]) => assert.equal(count(Number(value)), text));
    const quantities = [
        [1023, "bytes", "1023B"],
        [1270000, "bytes", "1.21MiB"],
        [0.0123, "seconds", "12.3ms"],
        [0.99999, "seconds", "1.00s"],
        [59.97, "seconds", "1m00s"],
        [61, "seconds", "1m01s"],
        [3725, "seconds", "1h02m"],
        [200000, "seconds", "2d"],
        [-90, "seconds", "-1m30s"],
        [0.456, "ratio", "45.6%"],
        [3.3, "volts", "3.30V"],
        [0.0042, "amperes", "4.20mA"],
        [48e6, "hertz", "48MHz"],
        [-12.5, "celsius", "-12.5°C"],
        [1234, "requests", "1.23k requests"],
        [0, "unixtime", "never"],
        [Infinity, "bytes", "inf"],
    ];
    quantities.forEach(([value, unit, text]) => assert.equal(quantity(value, unit), text));
    assert.equal(perSecond(2048, "bytes"), "2KiB/s");
    assert.equal(perSecond(0.25, "seconds"), "25%");
});

test("characters that act are shown", () => {
    assert.equal(harmless("a\n\u001b[2J\u202e\u2066\u0000\u009b\u{e0041}\u00ad grüße 東京 👍"), "a\\n\\x1b[2J\\u202e\\u2066\\x00\\x9b\\U000e0041\\xad grüße 東京 👍");
    assert.equal(glob('a*?[x]{b="c"}'), 'a[*][?][[]x]{b="c"}');
});

const row = (label, more = {}) => {
    const stat = { label, kind: "counter", type: "Q", unit: "", help: "", value: 1, rate: 1, ...more };
    return new Row([label, stat.file ?? ""].join(), stat);
};
const view = { q: "", group: "prefix", sort: "label", desc: false, fold: [] };
const shown = (rows, state) => lines(rows, { ...view, ...state }).lines.map((line) => " ".repeat(line.depth) + (line.row ? line.text : `[${line.name}]`));

test("rows are grouped by what they have in common", () => {
    const rows = ["web.status.2XX", "web.status.10", "web.status.9", "web.all", "db.x.y.a", "db.x.y.b", "alone.one", 'h{m="a.b"}', 'h{m="c"}', "top"].map((label) => row(label));
    assert.deepEqual(shown(rows, {}), ["alone.one", 'h{m="a.b"}', 'h{m="c"}', "top", "[db.x.y]", " a", " b", "[web]", " all", " [status]", "  2XX", "  9", "  10"]);
    assert.deepEqual(shown(rows, { fold: ["web/status"], q: "WEB" }), ["[web]", " all", " [status]"]);
    assert.deepEqual(shown(rows, { group: "dimension", q: "h{" }), ["[h]", ' {m="a.b"}', ' {m="c"}']);
    const files = [row("a", { file: "/x/1.mmstats", pid: 7 }), row("a", { file: "/x/2.mmstats", pid: 7 }), row("b", { file: "/x/3.mmstats", pid: 9 })];
    assert.deepEqual(shown(files, { group: "process" }), ["[process 7]", " [1.mmstats]", "  a", " [2.mmstats]", "  a", "[process 9 · 3.mmstats]", " b"]);
});

test("numbers are sorted, and what has none comes last", () => {
    const rows = [row("a", { value: 5 }), row("b", { value: "18446744073709551615" }), row("c", { type: "8s", value: "9" }), row("d", { value: 7 })];
    assert.deepEqual(shown(rows, { group: "none", sort: "value", desc: true }), ["b", "d", "a", "c"]);
    assert.deepEqual(shown(rows, { group: "none", sort: "value" }), ["a", "d", "b", "c"]);
});

test("series of different times are aligned", () => {
    const series = (label, points, more = {}) => ({ key: label, label, kind: "gauge", unit: "", points, ...more });
    const all = linesOf([series("a", [[1, 10], [3, "NaN"]]), series("b", [[2, 5, 1], [3, 6, 1]], { kind: "counter" })], { show: "auto" });
    assert.deepEqual(align(all), [[1, 2, 3], [10, null, null], [null, 1, 1]]);
    assert.deepEqual(linesOf([series("h", [[1, { p50: 1, p90: 2, p99: null }, 4]], { kind: "histogram" })], { show: "auto" }).map((line) => line.points[0][1]), [1, 2, null]);
    assert.deepEqual(rollingMean([1, 2, 3, 10], [4, null, 8, 1], 5), [4, 4, 6, 1]);
    assert.deepEqual(summary([null, 2, 6]), { last: 6, least: 2, most: 6, mean: 4 });
});
