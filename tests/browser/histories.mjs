// What the page remembers of series, and asks the server for.

import assert from "node:assert/strict";
import { test } from "node:test";

import { at, frame, looks, remembering, script, seconds, series, times } from "./points.mjs";

const { glob } = await script("text");
const { Row, Stats } = await script("stats");
const { keyOf, linesOf } = await script("series");
const { Filler, Histories, portions } = await script("history");
const { ask } = await script("stream");

test("a history that the server did not tell is asked for again, with the next frame", async () => {
    const stats = new Stats();
    stats.update(frame(10), 1);
    const [row] = stats.all("a");
    const series = [{ label: "a", kind: "gauge", unit: "", points: at([8, 9, 10]) }];
    let [asked, told] = [0, null];
    globalThis.fetch = async () => {
        asked += 1;
        setTimeout(told, 0);
        return { ok: asked > 1, status: 503, statusText: "", text: async () => JSON.stringify(asked > 1 ? { series } : { error: "too much to do" }) };
    };
    const filler = new Filler(() => {}, () => 90);
    const ask = () => new Promise((done) => {
        told = done;
        filler.want([row]);
    });
    await ask();
    filler.want([row]);
    assert.ok(row.askedForHistory, "not before");
    stats.update(frame(11), 1);
    assert.ok(!row.askedForHistory);
    await ask();
    stats.update(frame(12), 1);
    assert.ok(row.askedForHistory && asked === 2);
    assert.deepEqual(times(row.history), [8, 9, 10, 11, 12]);
});

test("rows of all writers and rows of each have histories of their own", async () => {
    const stat = { label: "a", kind: "gauge", type: "q", unit: "", help: "", value: 1 };
    const rows = [stat, { ...stat, file: "/f", pid: 1 }].map((stat) => new Row(keyOf(stat), stat));
    globalThis.fetch = async (url) => {
        const told = url.searchParams.get("by") === "file" ? { ...stat, file: "/f", points: at([8, 9]) } : { ...stat, points: at([1, 2, 3]) };
        return { ok: true, text: async () => JSON.stringify({ series: [told] }) };
    };
    await new Promise((done) => {
        const isFilled = () => rows.every((row) => row.history.length > 0) || !rows.some((row) => !row.askedForHistory);
        new Filler(() => isFilled() && done(), () => 90).want(rows);
    });
    assert.deepEqual(rows.map(({ history }) => times(history)), [[1, 2, 3], [8, 9]]);
});

test("of many series, those whose writers go on come first", () => {
    const histories = new Histories("file");
    const [long, short] = [at(seconds(1, 20)), at(seconds(1, 10))];
    [["gone", short, { isGone: true }], ["dead", long, { liveness: "dead" }], ["alive", long, { liveness: "alive" }]].forEach(([file, points, more]) => {
        histories.series.set(file, series("a", points, { file, ...more }));
    });
    assert.deepEqual(histories.of(["a"]).map(({ file }) => file), ["alive", "dead", "gone"]);
    // Those that go on keep their places, whichever could be read last.
    histories.series.set("late", series("a", short, { file: "late", liveness: "alive" }));
    histories.series.set("early", series("a", long, { file: "early", liveness: "alive" }));
    assert.deepEqual(histories.of(["a"]).map(({ file }) => file), ["alive", "late", "early", "dead", "gone"]);
});

test("series that no plot draws share some room, and are asked for again when there is more", async () => {
    const writers = { many: 1200, one: 1 };
    let last = 400;
    globalThis.fetch = async (url) => {
        const points = at(seconds(Number(url.searchParams.get("since") ?? 1), last));
        const of = (label) => Array.from({ length: writers[label] }, (_, file) => series(label, points, { file: `${file}`, liveness: "alive" }));
        return { ok: true, text: async () => JSON.stringify({ time: last, interval: 1, series: url.searchParams.getAll("match").flatMap(of) }) };
    };
    const histories = new Histories("file");
    const both = ["many", "one"];
    for (; last < 403; last += 1) {
        await histories.refresh(both);
        const lengths = histories.of(both).map(({ points }) => points.length);
        assert.deepEqual(new Set(lengths.slice(0, 24)), new Set([last]), "those that are drawn are as long as ever");
        assert.equal(lengths.length, 1000);
        assert.ok(lengths.slice(24).reduce((sum, length) => sum + length) <= 300_000);
    }
    histories.keep(["one"]);
    await histories.refresh(["one"]);
    assert.deepEqual(times(histories.of(["one"])[0].points), seconds(1, last));
});

test("few series are kept whole, whether they are drawn or not", async () => {
    remembering(looks(seconds(1, 1000), ...seconds(1, 40).map((number) => `file${number}`)));
    const histories = new Histories("file");
    await histories.refresh(["a"]);
    assert.deepEqual(histories.of(["a"]).map(({ points }) => points.length), new Array(40).fill(1000));
});

test("a plot asks only for what is new", async () => {
    const remembered = looks(seconds(1, 5), "f");
    const asked = remembering(remembered);
    const histories = new Histories("file");
    await histories.refresh(["a"]);
    remembered.push(...looks([6, 7], "f"));
    await histories.refresh(["a"]);
    assert.deepEqual(asked, [null, "5"]);
    assert.deepEqual(times(histories.of(["a"])[0].points), seconds(1, 7));
    histories.keep([]);
    await histories.refresh(["a"]);
    assert.equal(asked.at(-1), null);
});

test("of labels that are too many to ask for at once, each has its turn", async () => {
    const remembered = looks(seconds(1, 5), "f");
    const known = new Set();
    const all = seconds(1, 50).map((number) => `label${number}`);
    const histories = new Histories("label");
    const refresh = async () => {
        remembering(remembered);
        const { fetch } = globalThis;
        globalThis.fetch = (url) => {
            url.searchParams.getAll("match").forEach((label) => known.add(label));
            return fetch(url);
        };
        await histories.refresh(all);
        remembered.push(...looks([remembered.length + 1], "f"));
    };
    await refresh();
    await refresh();
    assert.equal(known.size, 50);
    known.clear();
    await refresh();
    await refresh();
    assert.equal(known.size, 50);
});

test("no question is too long for a server, but for a label that is", () => {
    const [short, long, longest] = [seconds(1, 100).map((number) => `label${number}`), "a*é".repeat(500), "x".repeat(20_000)];
    const all = [...short, long, `${long}1`, longest, "last"];
    assert.deepEqual(portions(all).flat(), all);
    const lengths = portions(all).map((labels) => new URLSearchParams(labels.map((label) => ["match", glob(label)])).toString().length);
    assert.deepEqual(portions(all).map((labels) => labels.length), [40, 40, 21, 1, 1, 1]);
    assert.ok(lengths.every((length) => length < 9000 || length > 20_000), `${lengths}`);
    assert.deepEqual(portions([]), []);
});

test("what is no JSON is told by its status", async () => {
    const says = (status, statusText, text) => {
        globalThis.fetch = async () => ({ ok: status === 200, status, statusText, text: async () => text });
        return ask("").then(JSON.stringify, ({ message }) => message);
    };
    assert.equal(await says(431, "Request Header Fields Too Large", ""), "431 Request Header Fields Too Large");
    assert.equal(await says(503, "Service Unavailable", '{"error":"too much to do"}'), "too much to do");
    assert.equal(await says(200, "", "<p>"), "200, but no JSON");
    assert.equal(await says(200, "OK", "[1]"), "[1]");
});

test("after the server's clock was set back, a plot goes on", async () => {
    const remembered = looks(seconds(1, 100), "f");
    remembering(remembered);
    const histories = new Histories("label");
    await histories.refresh(["a"]);
    for (const time of [40.5, 41.5, 42.5]) {
        remembered.push(...looks([time], "f"));
        await histories.refresh(["a"]);
        const [{ points, isGone }] = histories.of(["a"]);
        assert.ok(points.at(-1)[0] <= time && !isGone, `at ${time}`);
    }
    assert.deepEqual(times(histories.of(["a"])[0].points), [...seconds(1, 40), 40.5, 41.5, 42.5]);
});

test("a clock that is set back a little makes no series an ended one", async () => {
    const remembered = looks(seconds(1, 100), "f");
    remembering(remembered);
    const histories = new Histories("file");
    await histories.refresh(["a"]);
    remembered.push(...looks([98.5], "f"));
    await histories.refresh(["a"]);
    assert.ok(!histories.of(["a"])[0].isGone);
});

test("a series has ended when its writer has vanished, whatever was said of it last", async () => {
    const remembered = looks(seconds(1, 10), "stays", "goes");
    remembering(remembered);
    const histories = new Histories("file");
    const ended = () => linesOf(histories.of(["a"]), { show: "auto" }).filter(({ isDead }) => isDead).map(({ name }) => name);
    await histories.refresh(["a"]);
    assert.deepEqual(ended(), []);
    for (const time of [11, 12]) {
        remembered.push(...looks([time], "stays"));
        await histories.refresh(["a"]);
    }
    assert.deepEqual(ended(), ["goes"]);
    // Whoever comes later is told at once.
    remembered.push(...looks(seconds(13, 20), "stays"));
    const later = new Histories("file");
    await later.refresh(["a"]);
    assert.deepEqual(later.of(["a"]).map(({ file, isGone }) => [file, isGone]), [["stays", false], ["goes", true]]);
    remembered.push(...looks([21], "stays", "goes"));
    await histories.refresh(["a"]);
    assert.deepEqual(ended(), []);
});
