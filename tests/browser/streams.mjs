// Whether the page is connected, with a clock and a server that go on when they are told to.

import assert from "node:assert/strict";
import { test } from "node:test";

import { frame, script } from "./points.mjs";

const { Stream } = await script("stream");
const REAL = { setTimeout, clearTimeout };

/** Opens a stream, and tells what it said in so many seconds; `answer` gets each connection. */
function said(answer, seconds, parameters = "") {
    const [timers, statuses] = [new Map(), []];
    let [now, last] = [0, 0];
    globalThis.addEventListener = () => {};
    globalThis.setTimeout = (callback, delay) => timers.set((last += 1), [now + delay, callback]) && last;
    globalThis.clearTimeout = (timer) => timers.delete(timer);
    globalThis.EventSource = class extends EventTarget {
        constructor() {
            super();
            answer(this, now / 1000);
        }

        close() {
            this.isClosed = true;
        }

        /** Something happens to it after so many seconds. */
        in(seconds, name, data) {
            const event = Object.assign(new Event(name), { data: JSON.stringify(data) });
            setTimeout(() => this.isClosed || this.dispatchEvent(event), 1000 * seconds);
        }
    };
    try {
        new Stream(() => {}, (status) => statuses.push([status, now / 1000])).open(`http://localhost/events${parameters}`);
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

test("a server that is slow to look is not lost", () => {
    for (const [between, parameters] of [[7, ""], [45, "?interval=1"], [300, "?interval=10"]]) {
        // The latest look is sent at once.
        const statuses = said((source, now) => {
            source.in(0.2, "open");
            const latest = now - (now % between);
            source.in(0.3, "stats", frame(latest));
            for (let time = latest + between; time < 1000; time += between) {
                source.in(time - now, "stats", frame(time));
            }
        }, 1000, parameters);
        assert.deepEqual(names(statuses), ["connecting", "live"], `a look each ${between} s`);
    }
});

test("a server that has not looked yet is not lost", () => {
    const statuses = said((source, now) => {
        source.in(0.2, "open");
        source.in(Math.max(90 - now, 0.3), "stats", frame(90));
    }, 100);
    assert.deepEqual(names(statuses), ["connecting", "live"]);
});

test("a connection that has frames in time is never made anew", () => {
    for (const [between, parameters] of [[1, ""], [60, "?interval=60"]]) {
        let connections = 0;
        const statuses = said((source, now) => {
            connections += 1;
            source.in(0.2, "open");
            for (let time = now + 0.3; time < 1000; time += between) {
                source.in(time - now, "stats", frame(time));
            }
        }, 1000, parameters);
        assert.deepEqual([names(statuses), connections], [["connecting", "live"], 1], `a frame each ${between} s`);
    }
});

test("a server that says nothing any more is lost within a minute, one that closes at once, and both are found again", () => {
    const answers = (source) => {
        source.in(0.2, "open");
        source.in(0.3, "stats", frame(1));
    };
    const isThere = (now) => now < 1 || now > 200;
    const silent = said((source, now) => isThere(now) && answers(source), 300);
    const lost = silent.find(([status]) => status === "lost");
    assert.ok(lost?.[1] > 10 && lost[1] < 60, `${silent}`);
    const closed = said((source, now) => {
        if (isThere(now)) {
            answers(source);
        }
        if (now < 200) {
            source.in(now < 1 ? 2 : 0.1, "error");
        }
    }, 300);
    assert.deepEqual(closed.find(([status]) => status === "lost"), ["lost", 2]);
    for (const statuses of [silent, closed]) {
        assert.equal(statuses.at(-1)[0], "live");
        // Not asked again and again, but soon enough.
        const [again] = statuses.find(([status, time]) => status === "live" && time > 200).slice(1);
        assert.ok(again < 230 && statuses.length < 60, `${statuses}`);
    }
});
