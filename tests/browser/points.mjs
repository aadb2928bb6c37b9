// Looks, series and their points, as they are for the scripts.

/** A script of the page. */
export const script = (name) => import(`${process.env.STATIC}/${name}.js`);

/** A series of gauges; `seconds` are times one after the other, and `at` the points there. */
export const series = (label, points, more = {}) => ({ key: label, label, kind: "gauge", unit: "", points, ...more });
export const seconds = (from, to, step = 1) => Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step);
export const at = (times, value = 1) => times.map((time) => [time, value]);

/** When these points were. */
export const times = (points) => points.map(([time]) => time);

/** A frame of the stream. */
export const frame = (time, value = 1) => ({ time, interval: 1, stats: [{ label: "a", kind: "gauge", type: "q", unit: "", help: "", value }] });

/** Looks that find the same writers. */
export const looks = (times, ...writers) => times.map((time) => ({ time, writers }));

/** A server that remembers the looks `{time, writers}` in their order, and says nothing of times to come; in the answer is what it was asked for. */
export function remembering(looks) {
    const asked = [];
    globalThis.fetch = async (url) => {
        const since = Number(url.searchParams.get("since") ?? 0);
        asked.push(url.searchParams.get("since"));
        const { time } = looks.at(-1);
        const told = looks.filter((look, index) => look.time >= since && looks.slice(index + 1).every((later) => later.time > look.time));
        const files = [...new Set(told.flatMap(({ writers }) => writers))];
        const of = (file) => at(times(told.filter(({ writers }) => writers.includes(file)).map(({ time }) => [time])));
        const series = files.map((file) => ({ label: "a", kind: "gauge", unit: "", help: "", file, liveness: "alive", points: of(file) }));
        return { ok: true, text: async () => JSON.stringify({ time, interval: 1, series }) };
    };
    return asked;
}
