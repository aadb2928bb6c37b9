// Samples of events, series and points, and a fake server, for tests of the scripts.

/** Imports a script of the page. */
export const importScript = (name) => import(`${process.env.STATIC}/${name}.js`);

/** Creates a series of a gauge. */
export const series = (label, points, more = {}) => ({
    key: label,
    label,
    kind: "gauge",
    unit: "",
    points,
    ...more,
});

/** Returns times from one to another. */
export const seconds = (from, to, step = 1) =>
    Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step);

/** Returns points at these times. */
export const pointsAt = (times, value = 1) => times.map((time) => [time, value]);

/** Returns the times of points. */
export const timesOf = (points) => points.map(([time]) => time);

/** Returns the data of a stream event. */
export const statsEvent = (time, value = 1) => ({
    time,
    interval: 1,
    stats: [{ label: "a", kind: "gauge", type: "q", unit: "", help: "", value }],
});

/** Returns scrapes that find these writers. */
export const scrapesAt = (times, ...writers) => times.map((time) => ({ time, writers }));

/**
 * Replaces `fetch` by a server whose history holds the scrapes `{time, writers}`, in their order.
 * Returns the list of the `since` parameters of its requests.
 */
export function fakeServer(scrapes) {
    const requested = [];
    globalThis.fetch = async (url) => {
        const since = Number(url.searchParams.get("since") ?? 0);
        requested.push(url.searchParams.get("since"));
        const { time } = scrapes.at(-1);
        // After the clock was set back, later scrapes by the old clock are not returned.
        const isReturned = ({ time }, index) =>
            time >= since && scrapes.slice(index + 1).every((later) => later.time > time);
        const returned = scrapes.filter(isReturned);
        const files = [...new Set(returned.flatMap(({ writers }) => writers))];
        const pointsOf = (file) =>
            pointsAt(
                timesOf(
                    returned
                        .filter(({ writers }) => writers.includes(file))
                        .map(({ time }) => [time]),
                ),
            );
        const series = files.map((file) => ({
            label: "a",
            kind: "gauge",
            unit: "",
            help: "",
            file,
            liveness: "alive",
            points: pointsOf(file),
        }));
        return { ok: true, text: async () => JSON.stringify({ time, interval: 1, series }) };
    };
    return requested;
}
