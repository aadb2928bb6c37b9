// Tests of the histories that the page loads and keeps.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
    fakeServer,
    importScript,
    pointsAt,
    scrapesAt,
    seconds,
    series,
    statsEvent,
    timesOf,
} from "./samples.mjs";

const { globOf } = await importScript("text");
const { Row, Stats } = await importScript("stats");
const { buildLines, seriesKey } = await importScript("series");
const { Histories, SparklineLoader, batchLabels } = await importScript("history");
const { fetchJson } = await importScript("stream");

test("a history that could not be loaded is requested again after the next event", async () => {
    const stats = new Stats();
    stats.update(statsEvent(10), 1);
    const [row] = stats.rowsOf("a");
    const series = [{ label: "a", kind: "gauge", unit: "", points: pointsAt([8, 9, 10]) }];
    let [requests, onRequest] = [0, null];
    globalThis.fetch = async () => {
        requests += 1;
        setTimeout(onRequest, 0);
        return {
            ok: requests > 1,
            status: 503,
            statusText: "",
            text: async () =>
                JSON.stringify(requests > 1 ? { series } : { error: "too much to do" }),
        };
    };
    const loader = new SparklineLoader(
        () => {},
        () => 90,
    );
    const request = () =>
        new Promise((done) => {
            onRequest = done;
            loader.request([row]);
        });
    await request();
    loader.request([row]);
    assert.ok(row.historyRequested, "not before");
    stats.update(statsEvent(11), 1);
    assert.ok(!row.historyRequested);
    await request();
    stats.update(statsEvent(12), 1);
    assert.ok(row.historyRequested && requests === 2);
    assert.deepEqual(timesOf(row.history), [8, 9, 10, 11, 12]);
});

test("rows of labels and rows of files have separate histories", async () => {
    const stat = { label: "a", kind: "gauge", type: "q", unit: "", help: "", value: 1 };
    const rows = [stat, { ...stat, file: "/f", pid: 1 }].map(
        (stat) => new Row(seriesKey(stat), stat),
    );
    globalThis.fetch = async (url) => {
        const found =
            url.searchParams.get("by") === "file"
                ? { ...stat, file: "/f", points: pointsAt([8, 9]) }
                : { ...stat, points: pointsAt([1, 2, 3]) };
        return { ok: true, text: async () => JSON.stringify({ series: [found] }) };
    };
    await new Promise((done) => {
        const isFilled = () =>
            rows.every((row) => row.history.length > 0) ||
            !rows.some((row) => !row.historyRequested);
        new SparklineLoader(
            () => isFilled() && done(),
            () => 90,
        ).request(rows);
    });
    assert.deepEqual(
        rows.map(({ history }) => timesOf(history)),
        [
            [1, 2, 3],
            [8, 9],
        ],
    );
});

test("series of live writers come first", () => {
    const histories = new Histories("file");
    const [long, short] = [pointsAt(seconds(1, 20)), pointsAt(seconds(1, 10))];
    [
        ["gone", short, { isGone: true }],
        ["dead", long, { liveness: "dead" }],
        ["alive", long, { liveness: "alive" }],
    ].forEach(([file, points, more]) => {
        histories.series.set(file, series("a", points, { file, ...more }));
    });
    assert.deepEqual(
        histories.seriesOf(["a"]).map(({ file }) => file),
        ["alive", "dead", "gone"],
    );
    // Live series keep their places, whichever was read last.
    histories.series.set("late", series("a", short, { file: "late", liveness: "alive" }));
    histories.series.set("early", series("a", long, { file: "early", liveness: "alive" }));
    assert.deepEqual(
        histories.seriesOf(["a"]).map(({ file }) => file),
        ["alive", "late", "early", "dead", "gone"],
    );
});

test("series that are not drawn share a limit, and load again when there is space", async () => {
    const writers = { many: 1200, one: 1 };
    let last = 400;
    globalThis.fetch = async (url) => {
        const points = pointsAt(seconds(Number(url.searchParams.get("since") ?? 1), last));
        const of = (label) =>
            Array.from({ length: writers[label] }, (_, file) =>
                series(label, points, { file: `${file}`, liveness: "alive" }),
            );
        return {
            ok: true,
            text: async () =>
                JSON.stringify({
                    time: last,
                    interval: 1,
                    series: url.searchParams.getAll("match").flatMap(of),
                }),
        };
    };
    const histories = new Histories("file");
    const both = ["many", "one"];
    for (; last < 403; last += 1) {
        await histories.refresh(both);
        const lengths = histories.seriesOf(both).map(({ points }) => points.length);
        assert.deepEqual(
            new Set(lengths.slice(0, 24)),
            new Set([last]),
            "drawn series are complete",
        );
        assert.equal(lengths.length, 1000);
        assert.ok(lengths.slice(24).reduce((sum, length) => sum + length) <= 300_000);
    }
    histories.retain(["one"]);
    await histories.refresh(["one"]);
    assert.deepEqual(timesOf(histories.seriesOf(["one"])[0].points), seconds(1, last));
});

test("few series are kept complete, drawn or not", async () => {
    fakeServer(scrapesAt(seconds(1, 1000), ...seconds(1, 40).map((number) => `file${number}`)));
    const histories = new Histories("file");
    await histories.refresh(["a"]);
    assert.deepEqual(
        histories.seriesOf(["a"]).map(({ points }) => points.length),
        new Array(40).fill(1000),
    );
});

test("a plot requests only new points", async () => {
    const history = scrapesAt(seconds(1, 5), "f");
    const requested = fakeServer(history);
    const histories = new Histories("file");
    await histories.refresh(["a"]);
    history.push(...scrapesAt([6, 7], "f"));
    await histories.refresh(["a"]);
    assert.deepEqual(requested, [null, "5"]);
    assert.deepEqual(timesOf(histories.seriesOf(["a"])[0].points), seconds(1, 7));
    histories.retain([]);
    await histories.refresh(["a"]);
    assert.equal(requested.at(-1), null);
});

test("if there are too many labels for one request, all take turns", async () => {
    const history = scrapesAt(seconds(1, 5), "f");
    const requested = new Set();
    const all = seconds(1, 50).map((number) => `label${number}`);
    const histories = new Histories("label");
    const refresh = async () => {
        fakeServer(history);
        const { fetch } = globalThis;
        globalThis.fetch = (url) => {
            url.searchParams.getAll("match").forEach((label) => requested.add(label));
            return fetch(url);
        };
        await histories.refresh(all);
        history.push(...scrapesAt([history.length + 1], "f"));
    };
    await refresh();
    await refresh();
    assert.equal(requested.size, 50);
    requested.clear();
    await refresh();
    await refresh();
    assert.equal(requested.size, 50);
});

test("no query is too long for a server, unless a label is", () => {
    const [short, long, longest] = [
        seconds(1, 100).map((number) => `label${number}`),
        "a*é".repeat(500),
        "x".repeat(20_000),
    ];
    const all = [...short, long, `${long}1`, longest, "last"];
    assert.deepEqual(batchLabels(all).flat(), all);
    const lengths = batchLabels(all).map(
        (labels) =>
            new URLSearchParams(labels.map((label) => ["match", globOf(label)])).toString().length,
    );
    assert.deepEqual(
        batchLabels(all).map((labels) => labels.length),
        [40, 40, 21, 1, 1, 1],
    );
    assert.ok(
        lengths.every((length) => length < 9000 || length > 20_000),
        `${lengths}`,
    );
    assert.deepEqual(batchLabels([]), []);
});

test("a response that is not JSON is reported by its status", async () => {
    const request = (status, statusText, text) => {
        globalThis.fetch = async () => ({
            ok: status === 200,
            status,
            statusText,
            text: async () => text,
        });
        return fetchJson("").then(JSON.stringify, ({ message }) => message);
    };
    assert.equal(
        await request(431, "Request Header Fields Too Large", ""),
        "431 Request Header Fields Too Large",
    );
    assert.equal(
        await request(503, "Service Unavailable", '{"error":"too much to do"}'),
        "too much to do",
    );
    assert.equal(await request(200, "", "<p>"), "200, but the body is not JSON");
    assert.equal(await request(200, "OK", "[1]"), "[1]");
});

test("a plot continues after the server's clock was set back", async () => {
    const history = scrapesAt(seconds(1, 100), "f");
    fakeServer(history);
    const histories = new Histories("label");
    await histories.refresh(["a"]);
    for (const time of [40.5, 41.5, 42.5]) {
        history.push(...scrapesAt([time], "f"));
        await histories.refresh(["a"]);
        const [{ points, isGone }] = histories.seriesOf(["a"]);
        assert.ok(points.at(-1)[0] <= time && !isGone, `at ${time}`);
    }
    assert.deepEqual(timesOf(histories.seriesOf(["a"])[0].points), [
        ...seconds(1, 40),
        40.5,
        41.5,
        42.5,
    ]);
});

test("setting the clock back a little ends no series", async () => {
    const history = scrapesAt(seconds(1, 100), "f");
    fakeServer(history);
    const histories = new Histories("file");
    await histories.refresh(["a"]);
    history.push(...scrapesAt([98.5], "f"));
    await histories.refresh(["a"]);
    assert.ok(!histories.seriesOf(["a"])[0].isGone);
});

test("a series has ended when its writer has vanished", async () => {
    const history = scrapesAt(seconds(1, 10), "stays", "goes");
    fakeServer(history);
    const histories = new Histories("file");
    const ended = () =>
        buildLines(histories.seriesOf(["a"]), { show: "auto" })
            .filter(({ isDead }) => isDead)
            .map(({ name }) => name);
    await histories.refresh(["a"]);
    assert.deepEqual(ended(), []);
    for (const time of [11, 12]) {
        history.push(...scrapesAt([time], "stays"));
        await histories.refresh(["a"]);
    }
    assert.deepEqual(ended(), ["goes"]);
    // A page that is opened later shows it at once.
    history.push(...scrapesAt(seconds(13, 20), "stays"));
    const later = new Histories("file");
    await later.refresh(["a"]);
    assert.deepEqual(
        later.seriesOf(["a"]).map(({ file, isGone }) => [file, isGone]),
        [
            ["stays", false],
            ["goes", true],
        ],
    );
    history.push(...scrapesAt([21], "stays", "goes"));
    await histories.refresh(["a"]);
    assert.deepEqual(ended(), []);
});
