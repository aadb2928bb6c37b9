// Tests of the page's scripts that need no browser: `node --test modules.mjs`. STATIC is the
// directory of the scripts.

import assert from "node:assert/strict";
import { test } from "node:test";

import "./history.mjs";
import "./stream.mjs";
import { importScript, pointsAt, seconds, series, statsEvent, timesOf } from "./samples.mjs";

const { parse, toNumber } = await importScript("json");
const { formatCount, formatQuantity, formatRate } = await importScript("units");
const { escapeText, globOf } = await importScript("text");
const { buildEntries } = await importScript("grouping");
const { Row, Stats } = await importScript("stats");
const { alignLines, buildLines, countLines, isIsolated, rollingMean, seriesKey, summarize } =
    await importScript("series");
// The scripts look up colours in it, but not in these tests.
globalThis.document = {};
const { describeValue, formatValue } = await importScript("chart");
const { seriesDash } = await importScript("theme");
const { View } = await importScript("state");
const { drawSparkline } = await importScript("sparkline");

test("numbers keep all their digits", () => {
    const integers =
        '"a":18446744073709551615,"b":[-9223372036854775808,0.1,1e3],"c":"x:12345678901234567890,\\"1"';
    assert.deepEqual(parse(`{${integers},"d":12345678901234567.25,"e":0.30000000000000004}`), {
        a: "18446744073709551615",
        b: ["-9223372036854775808", 0.1, 1000],
        c: 'x:12345678901234567890,"1',
        d: "12345678901234567.25",
        e: 0.30000000000000004,
    });
    assert.equal(toNumber("18446744073709551615"), 2 ** 64);
    assert.deepEqual(["NaN", "-Infinity", null, true].map(toNumber), [NaN, -Infinity, null, 1]);
});

test("numbers are as short as in the other tools", () => {
    const large = {
        0: "0",
        999.4: "999",
        999.6: "1.00k",
        1000: "1k",
        1234: "1.23k",
        45600000: "45.6M",
        "-1234": "-1.23k",
        "1e30": "1e30",
    };
    const small = { 1.5: "1.50", 0.1234: "0.123", 0.0012: "0.0012", 0.00001: "1e-5" };
    Object.entries({ ...large, ...small }).forEach(([value, text]) =>
        assert.equal(formatCount(Number(value)), text),
    );
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
    quantities.forEach(([value, unit, text]) => assert.equal(formatQuantity(value, unit), text));
    assert.equal(formatRate(2048, "bytes"), "2KiB/s");
    assert.equal(formatRate(0.25, "seconds"), "25%");
});

test("control characters are escaped", () => {
    const text = "a\n\u001b[2J\u202e\u2066\u0000\u009b\u{e0041}\u00ad grüße 東京 👍";
    assert.equal(
        escapeText(text),
        "a\\n\\x1b[2J\\u202e\\u2066\\x00\\x9b\\U000e0041\\xad grüße 東京 👍",
    );
    assert.equal(globOf('a*?[x]{b="c"}'), 'a[*][?][[]x]{b="c"}');
});

const row = (label, more = {}) => {
    const stat = {
        label,
        kind: "counter",
        type: "Q",
        unit: "",
        help: "",
        value: 1,
        rate: 1,
        ...more,
    };
    return new Row([label, stat.file ?? ""].join(), stat);
};
const view = { q: "", group: "prefix", sort: "label", desc: false, fold: [] };
const outline = (rows, state) => {
    const { entries } = buildEntries(rows, { ...view, ...state });
    return entries.map(
        ({ row, depth, text, name }) => " ".repeat(depth) + (row ? text : `[${name}]`),
    );
};

test("rows are grouped by prefix, dimension or process", () => {
    const grouped = [
        "web.status.2XX",
        "web.status.10",
        "web.status.9",
        "web.all",
        "db.x.y.a",
        "db.x.y.b",
    ];
    const rows = [...grouped, "alone.one", 'h{m="a.b"}', 'h{m="c"}', "top"].map((label) =>
        row(label),
    );
    const groups = ["[db.x.y]", " a", " b", "[web]", " all", " [status]", "  2XX", "  9", "  10"];
    assert.deepEqual(outline(rows, {}), ["alone.one", 'h{m="a.b"}', 'h{m="c"}', "top", ...groups]);
    assert.deepEqual(outline(rows, { fold: ["web/status"], q: "WEB" }), [
        "[web]",
        " all",
        " [status]",
    ]);
    assert.deepEqual(outline(rows, { group: "dimension", q: "h{" }), [
        "[h]",
        ' {m="a.b"}',
        ' {m="c"}',
    ]);
    const files = [
        row("a", { file: "/x/1.mmstats", pid: 7 }),
        row("a", { file: "/x/2.mmstats", pid: 7 }),
        row("b", { file: "/x/3.mmstats", pid: 9 }),
    ];
    assert.deepEqual(outline(files, { group: "process" }), [
        "[process 7]",
        " [1.mmstats]",
        "  a",
        " [2.mmstats]",
        "  a",
        "[process 9 · 3.mmstats]",
        " b",
    ]);
});

test("a word with a star must match the whole label", () => {
    const rows = ["web.status.2XX", "web.status.4XX", "web.all"].map((label) => row(label));
    const found = (q) => outline(rows, { group: "none", q });
    assert.deepEqual(found("web.*"), ["web.all", "web.status.2XX", "web.status.4XX"]);
    assert.deepEqual(found("*2xx"), ["web.status.2XX"]);
    assert.deepEqual(found("WEB.*.?xx stat"), ["web.status.2XX", "web.status.4XX"]);
    assert.deepEqual(found("*[3-5]xx"), ["web.status.4XX"]);
    assert.deepEqual(found("*[!3-5]xx"), ["web.status.2XX"]);
    assert.deepEqual([found("stat*"), found("[*"), found("w*(+")], [[], [], []]);
    assert.deepEqual([found("*[z-a]xx"), found("*[!z-a-]xx").length], [[], 2]);
    assert.deepEqual(outline([row("a{b}*")], { q: "*{b}[*]" }), ["a{b}*"]);
    assert.deepEqual(outline([row("]-a.b")], { q: "*[]-].b" }), []);
    assert.deepEqual(outline([row("a-b"), row("a]b")], { q: "*[]-]b" }), ["a-b", "a]b"]);
});

test("a glob with many stars needs no more time than its length times that of the label", () => {
    const rows = [row("a".repeat(1000))];
    assert.deepEqual(outline(rows, { q: `${"*a".repeat(100)}b` }), []);
    assert.equal(outline(rows, { q: "*a".repeat(100) }).length, 1);
});

test("rows are sorted by number; those without come last", () => {
    const rows = [
        row("a", { value: 5 }),
        row("b", { value: "18446744073709551615" }),
        row("c", { type: "8s", value: "9" }),
        row("d", { value: 7 }),
    ];
    assert.deepEqual(outline(rows, { group: "none", sort: "value", desc: true }), [
        "b",
        "d",
        "a",
        "c",
    ]);
    assert.deepEqual(outline(rows, { group: "none", sort: "value" }), ["a", "d", "b", "c"]);
});

test("histograms are sorted by the percentile shown", () => {
    const histogram = (label, count, p50) =>
        row(label, { kind: "histogram", type: "h", value: { count, p50, p90: p50, p99: p50 } });
    const rows = [
        histogram("few", 1, 9),
        histogram("many", 100, 2),
        histogram("empty", 0, null),
        row("number", { value: 5 }),
    ];
    assert.deepEqual(outline(rows, { group: "none", sort: "value", desc: true }), [
        "few",
        "number",
        "many",
        "empty",
    ]);
    assert.deepEqual(
        [rows[0].exactValue, rows[2].exactValue],
        ["1 recorded, p50 9, p90 9, p99 9", "0 recorded"],
    );
});

test("a stat that states how writers are combined says so, and may have no value yet", () => {
    const peak = (more) => ({ label: "peak", kind: "gauge", unit: "bytes", type: "I", ...more });
    const of = (more) => new Row("", peak({ writers: 3, dead: 1, aggregate: "max", ...more }));
    assert.equal(of({ value: 976 }).exactValue, "976 bytes, max of 2");
    assert.equal(of({ value: 976, kept: true }).exactValue, "976 bytes, max of 3");
    assert.equal(of({ value: 976, aggregate: "sum" }).exactValue, "976 bytes");
    const unset = of({ value: null });
    assert.deepEqual([unset.displayValue, unset.exactValue], ["-", "no value yet"]);
    const unreadable = of({ value: null, error: "contended" });
    assert.deepEqual([unreadable.displayValue, unreadable.exactValue], ["unreadable", "contended"]);
    assert.notEqual(seriesKey(peak({ aggregation: "max" })), seriesKey(peak({})));
});

test("charts show only the time of dates of today", () => {
    const now = new Date();
    const noon = (day) => new Date(now.getFullYear(), now.getMonth(), day, 12).getTime() / 1000;
    const line = { unit: "unixtime", isRate: false };
    assert.equal(formatValue(line, noon(now.getDate())), "12:00:00");
    assert.match(formatValue(line, noon(now.getDate() - 1)), /^\d{4}-\d\d-\d\d 12:00:00$/);
    assert.deepEqual(
        [0, NaN, null].map((value) => formatValue(line, value)),
        ["never", "nan", ""],
    );
    assert.match(
        describeValue(line, noon(now.getDate())),
        /^\d+ unixtime \(\d{4}-\d\d-\d\d 12:00:00\)$/,
    );
    assert.deepEqual(
        [
            describeValue({ unit: "bytes", isRate: true }, 1.5),
            describeValue({ unit: "", isRate: false }, 7),
        ],
        ["1.5 bytes per second", "7"],
    );
});

test("lines of the same colour have different dashes", () => {
    const dashes = [0, 8, 16].map(seriesDash);
    assert.deepEqual([7, 15, 23].map(seriesDash), dashes);
    assert.equal(
        new Set([...dashes, [4, 4]].map(String)).size,
        4,
        "ended lines have dashes of their own",
    );
});

test("series of different times are aligned", () => {
    const all = buildLines(
        [
            series("a", [
                [1, 10],
                [3, "NaN"],
            ]),
            series(
                "b",
                [
                    [2, 5, 1],
                    [3, 6, 1],
                ],
                { kind: "counter" },
            ),
        ],
        { show: "auto" },
    );
    assert.deepEqual(alignLines(all, 1), [
        [1, 2, 3],
        [10, null, null],
        [null, 1, 1],
    ]);
    const histogram = series("h", [[1, { p50: 1, p90: 2, p99: null }, 4]], { kind: "histogram" });
    assert.deepEqual(
        buildLines([histogram], { show: "auto" }).map((line) => line.points[0][1]),
        [1, 2, null],
    );
    assert.deepEqual(summarize([null, 2, undefined, 6]), { last: 6, min: 2, max: 6, mean: 4 });
    // A line continues between its own times.
    const columns = [
        [1, undefined, 1, undefined, 1],
        [null, 1, undefined, 1, 1],
    ];
    assert.deepEqual(
        alignLines([series("a", pointsAt([1, 3, 5])), series("b", pointsAt([2, 4, 5]))], 1),
        [[1, 2, 3, 4, 5], ...columns],
    );
});

test("points of lines that are not drawn are not read", () => {
    const unseen = {
        get points() {
            throw new Error("read");
        },
    };
    const hidden = Object.defineProperties(series("c"), Object.getOwnPropertyDescriptors(unseen));
    const all = [
        series("a", pointsAt([1, 2])),
        series("b", pointsAt([1, 2]), { kind: "histogram" }),
        hidden,
    ];
    const names = (max) => buildLines(all, { show: "auto", max }).map(({ name }) => name);
    assert.deepEqual(
        [names(1), names(3), names(4)],
        [["a"], ["a", "b p50", "b p90"], ["a", "b p50", "b p90", "b p99"]],
    );
    assert.throws(() => names(5));
    assert.deepEqual(
        ["auto", "rates"].map((show) => countLines(all, { show })),
        [5, 3],
    );
});

test("a line is interrupted at gaps", () => {
    const [one, both] = [
        series("a", pointsAt([1, 2, 3, 23, 24])),
        series("b", pointsAt(seconds(1, 24))),
    ];
    assert.deepEqual(alignLines([one], 1), [
        [1, 2, 3, 13, 23, 24],
        [1, 1, 1, null, 1, 1],
    ]);
    assert.deepEqual(alignLines([one, series("c", pointsAt([2, 3, 23]))], 1)[2], [
        null,
        1,
        1,
        null,
        1,
        null,
    ]);
    const [times, column] = alignLines([one, both], 1);
    assert.deepEqual(
        [times, column],
        [seconds(1, 24), seconds(1, 24).map((time) => (time > 3 && time < 23 ? null : 1))],
    );

    const isWhole = (times, interval) =>
        alignLines([series("a", pointsAt(times))], interval)[0].length === times.length;
    assert.ok(isWhole([1, 2, 3, 5.5, 6, 8.9], 1), "scrapes may be late");
    assert.ok(isWhole([0.1, 0.2, 0.3, 1.2, 1.3], 0.1), "even by a second");
    assert.ok(
        isWhole([...seconds(1, 60), ...seconds(70, 200, 10), ...seconds(201, 260)], 1),
        "scrapes may have been less frequent",
    );
    const broken = [
        [...seconds(1, 60, 10), ...seconds(200, 260, 10)],
        [...seconds(1, 60), 90, ...seconds(120, 180)],
    ];
    assert.ok(!broken.some((times) => isWhole(times, 1)), "and then may have gaps, too");
    assert.ok(isWhole([1, 20], 10) && !isWhole([1, 40], 10));
});

test("isolated points are found", () => {
    const column = [1, null, 2, undefined, null, 3, undefined, 4, null, undefined];
    assert.deepEqual(
        column.flatMap((_, place) => (isIsolated(column, place) ? [place] : [])),
        [0, 2],
    );
});

test("a rolling mean covers the last seconds, and only times with numbers", () => {
    assert.deepEqual(rollingMean([1, 2, 3, 4, 10], [4, null, 8, undefined, 1], 5), [
        4,
        null,
        6,
        undefined,
        1,
    ]);
    // A running sum would keep the rounding error of its largest number.
    assert.deepEqual(
        rollingMean([1, 2, 3, 4, 5], [0.1, 1e300, 0.25, 0.25, 0.5], 2),
        [0.1, 5e299, 5e299, 0.25, 0.375],
    );
    const [times, values] = [seconds(1, 500), seconds(1, 500).map((time) => (time * 7919) % 101)];
    for (const window of [1, 2, 7, 60, 499, 1000]) {
        const expected = times.map((time) =>
            values.filter((_, index) => times[index] <= time && times[index] > time - window),
        );
        assert.deepEqual(
            rollingMean(times, values, window),
            expected.map((all) => all.reduce((sum, value) => sum + value) / all.length),
            `over ${window} s`,
        );
    }
    const all = seconds(1, 50_000);
    const measure = (window) => {
        const start = process.cpuUsage();
        rollingMean(all, all, window);
        const { user, system } = process.cpuUsage(start);
        return user + system;
    };
    const fastest = (window) => Math.min(...Array.from({ length: 5 }, () => measure(window)));
    const [short, long] = [fastest(10), fastest(5000)];
    assert.ok(long < 30 * short, `the window does not matter: ${short} µs, ${long} µs`);
});

// Returns the calls that draw a sparkline: `m` and `l` with the rounded x, others by name.
function traceSparkline(points, { now, interval, mean = 0 }) {
    globalThis.devicePixelRatio = 1;
    const calls = [];
    const record = (name, [x]) =>
        calls.push(name === "moveTo" || name === "lineTo" ? name[0] + Math.round(x) : name);
    const context = new Proxy(
        {},
        {
            get:
                (_, name) =>
                (...numbers) =>
                    record(name, numbers),
            set: () => true,
        },
    );
    drawSparkline({ width: 0, height: 0, getContext: () => context }, points, {
        width: 94,
        height: 20,
        now,
        spanSeconds: 90,
        interval,
        mean,
    });
    return calls.join(" ").replaceAll(/clearRect |beginPath /g, "");
}

test("a sparkline is interrupted at gaps, too", () => {
    const whole = [
        [10, 1],
        [40, 2],
        [70, 1],
    ];
    const [line, area] = ["m32 l62 l92 stroke", "l92 l32 fill"];
    assert.equal(traceSparkline(whole, { now: 70, interval: 1 }), `${line} ${area}`);
    const broken = [
        [10, 1],
        [11, 2],
        [12, 1],
        [60, 1],
        [61, 2],
        [90, 1],
    ];
    const parts = [
        "m12 l13 l14 stroke l14 l12 fill",
        "m62 l63 stroke l63 l62 fill",
        "m92 stroke fillRect",
    ].join(" ");
    assert.equal(traceSparkline(broken, { now: 90, interval: 1 }), parts);
    assert.equal(
        traceSparkline(broken, { now: 90, interval: 1, mean: 30 }),
        `${parts} m12 l13 l14 stroke m62 l63 stroke m92 stroke`,
    );
});

test("a row continues after the clock was set back", () => {
    const stats = new Stats();
    [101, 102, 103, 104, 100.5, 101.5, 102.5].forEach((time) => stats.update(statsEvent(time), 1));
    const [row] = stats.rowsOf("a");
    assert.deepEqual(timesOf(row.history), [100.5, 101.5, 102.5]);
    [103.5, 103.5].forEach((time) => stats.update(statsEvent(time), 1));
    assert.deepEqual(timesOf(row.history), [100.5, 101.5, 102.5, 103.5]);
    // Also if there is no number in that event.
    stats.update(statsEvent(101, null), 1);
    assert.deepEqual([timesOf(row.history), stats.time], [[100.5], 101]);
});

test("scrapes missed in a pause are requested and merged", () => {
    const stats = new Stats();
    [10, 11, 12].forEach((time) => stats.update(statsEvent(time), 1));
    const [row] = stats.rowsOf("a");
    row.historyRequested = true;
    stats.update(statsEvent(15), 1);
    assert.ok(row.historyRequested, "a late scrape is not a pause");
    stats.update(statsEvent(30), 1);
    assert.ok(!row.historyRequested);
    stats.update(statsEvent(31), 1);
    row.mergeHistory([...pointsAt(seconds(8, 20)), [21, null], ...pointsAt(seconds(22, 30), 2)]);
    assert.deepEqual(timesOf(row.history), [...seconds(8, 20), ...seconds(22, 31)]);
    row.mergeHistory([]);
    assert.equal(row.history.at(-1)[0], 31);
});

// Returns a function that adds an event, and returns `true` if the history is then loaded again.
function gapDetector() {
    const stats = new Stats();
    return (time) => {
        stats.update(statsEvent(time), 1);
        const [row] = stats.rowsOf("a");
        const isRequested = !row.historyRequested;
        row.historyRequested = true;
        return isRequested;
    };
}

test("slow scrapes are not gaps", () => {
    const hasGap = gapDetector();
    assert.deepEqual([100, 105, 110, 114, 120].map(hasGap).slice(2), [false, false, false]);
    assert.deepEqual([150, 155, 190].map(hasGap), [true, false, true], "but a pause is");
});

test("the latest scrape sent again is not a gap", () => {
    const hasGap = gapDetector();
    assert.deepEqual([100, 125, 125, 150, 150, 175, 200].map(hasGap).slice(3), [
        false,
        false,
        false,
        false,
    ]);
});

test("a mean covers at least a second", () => {
    globalThis.addEventListener = () => {};
    const mean = (text) => {
        globalThis.location = { search: `?mean=${text}`, pathname: "/" };
        return new View(() => {}).state.mean;
    };
    assert.deepEqual(
        ["1e-9", "0.99", "1", "60", "3601", "NaN", "-5", ""].map(mean),
        [0, 0, 1, 60, 0, 0, 0, 0],
    );
});
