// Tests of the stream's connection, with a fake clock and a fake server.

import assert from "node:assert/strict";
import { test } from "node:test";

import { statsEvent, importScript } from "./samples.mjs";

const { Stream } = await importScript("stream");
const REAL = { setTimeout, clearTimeout };

/**
 * Opens a stream and returns its statuses within some seconds, with their times. `onConnection` is
 * called with each connection and the time.
 */
function runStream(onConnection, seconds, parameters = "") {
    const [timers, statuses] = [new Map(), []];
    let [now, last] = [0, 0];
    globalThis.addEventListener = () => {};
    globalThis.setTimeout = (callback, delay) =>
        timers.set((last += 1), [now + delay, callback]) && last;
    globalThis.clearTimeout = (timer) => timers.delete(timer);
    globalThis.EventSource = class extends EventTarget {
        constructor() {
            super();
            onConnection(this, now / 1000);
        }

        close() {
            this.isClosed = true;
        }

        /** Dispatches an event after some seconds. */
        dispatchIn(seconds, name, data) {
            const event = Object.assign(new Event(name), { data: JSON.stringify(data) });
            setTimeout(() => this.isClosed || this.dispatchEvent(event), 1000 * seconds);
        }
    };
    try {
        new Stream(
            () => {},
            (status) => statuses.push([status, now / 1000]),
        ).open(`http://localhost/events${parameters}`);
        for (;;) {
            const [next] = [...timers].sort(([, [one]], [, [other]]) => one - other);
            if (!next || next[1][0] > 1000 * seconds) {
                return statuses;
            }
            const [timer, [time, callback]] = next;
            timers.delete(timer);
            now = time;
            callback();
        }
    } finally {
        Object.assign(globalThis, REAL);
    }
}

const names = (statuses) => [...new Set(statuses.map(([status]) => status))];

test("a server with slow scrapes is not lost", () => {
    for (const [between, parameters] of [
        [7, ""],
        [45, "?interval=1"],
        [300, "?interval=10"],
    ]) {
        // A new connection gets the latest scrape at once.
        const statuses = runStream(
            (source, now) => {
                source.dispatchIn(0.2, "open");
                const latest = now - (now % between);
                source.dispatchIn(0.3, "stats", statsEvent(latest));
                for (let time = latest + between; time < 1000; time += between) {
                    source.dispatchIn(time - now, "stats", statsEvent(time));
                }
            },
            1000,
            parameters,
        );
        assert.deepEqual(names(statuses), ["connecting", "live"], `a scrape every ${between} s`);
    }
});

test("a server before its first scrape is not lost", () => {
    const statuses = runStream((source, now) => {
        source.dispatchIn(0.2, "open");
        source.dispatchIn(Math.max(90 - now, 0.3), "stats", statsEvent(90));
    }, 100);
    assert.deepEqual(names(statuses), ["connecting", "live"]);
});

test("a connection with timely events is kept", () => {
    for (const [between, parameters] of [
        [1, ""],
        [60, "?interval=60"],
    ]) {
        let connections = 0;
        const statuses = runStream(
            (source, now) => {
                connections += 1;
                source.dispatchIn(0.2, "open");
                for (let time = now + 0.3; time < 1000; time += between) {
                    source.dispatchIn(time - now, "stats", statsEvent(time));
                }
            },
            1000,
            parameters,
        );
        assert.deepEqual(
            [names(statuses), connections],
            [["connecting", "live"], 1],
            `an event every ${between} s`,
        );
    }
});

test("a silent server is lost within a minute, a closed connection at once; both return", () => {
    const respond = (source) => {
        source.dispatchIn(0.2, "open");
        source.dispatchIn(0.3, "stats", statsEvent(1));
    };
    const isUp = (now) => now < 1 || now > 200;
    const silent = runStream((source, now) => isUp(now) && respond(source), 300);
    const lost = silent.find(([status]) => status === "lost");
    assert.ok(lost?.[1] > 10 && lost[1] < 60, `${silent}`);
    const closed = runStream((source, now) => {
        if (isUp(now)) {
            respond(source);
        }
        if (now < 200) {
            source.dispatchIn(now < 1 ? 2 : 0.1, "error");
        }
    }, 300);
    assert.deepEqual(
        closed.find(([status]) => status === "lost"),
        ["lost", 2],
    );
    for (const statuses of [silent, closed]) {
        assert.equal(statuses.at(-1)[0], "live");
        // Not asked again and again, but soon enough.
        const [again] = statuses.find(([status, time]) => status === "live" && time > 200).slice(1);
        assert.ok(again < 230 && statuses.length < 60, `${statuses}`);
    }
});
