// The points of plots and sparklines: loaded from the server's history, then extended.

import { toNumber } from "./json.js";
import { MAX_LINES, appendPoints, hasEnded, maxStepSeconds, seriesKey } from "./series.js";
import { fetchJson, serverUrl } from "./stream.js";
import { globOf } from "./text.js";

/** The largest number of points of one series. */
const MAX_POINTS = 7200;
// The largest number of series, and of points in series that the plot does not draw.
const [MAX_SERIES, MAX_UNDRAWN_POINTS] = [1000, 300_000];
// Limits of one request, as servers refuse long URLs.
const [MAX_LABELS_PER_REQUEST, MAX_QUERY_LENGTH] = [40, 8 << 10];
// The delay before sparklines are loaded, so that scrolling past rows loads nothing.
const LOAD_DELAY_MS = 60;

/** Splits labels into batches for one request each. A label that is too long gets its own batch. */
export function batchLabels(labels) {
    const batches = [];
    let length = Infinity;
    for (const label of labels) {
        const added = new URLSearchParams({ match: globOf(label) }).toString().length;
        if (length + added > MAX_QUERY_LENGTH || batches.at(-1).length >= MAX_LABELS_PER_REQUEST) {
            batches.push([]);
            length = 0;
        }
        batches.at(-1).push(label);
        length += added;
    }
    return batches;
}

function queryUrl(labels, parameters) {
    const url = serverUrl("api/v1/query");
    labels.forEach((label) => url.searchParams.append("match", globOf(label)));
    Object.entries(parameters).forEach(([name, value]) => url.searchParams.set(name, value));
    return url;
}

// Returns the time of a series' last point.
const lastTime = (series) => series.points.at(-1)?.[0] ?? 0;

/** The histories of plotted labels: one series for each, or one for each of its writers. */
export class Histories {
    // Labels with points that were dropped to stay within the limits.
    #truncated = new Set();

    constructor(by) {
        this.by = by;
        this.series = new Map();
        this.latest = new Map();
    }

    /**
     * Updates as many of these labels as fit into two requests: those whose last update is the
     * oldest, and new ones.
     */
    async refresh(labels) {
        const known = labels
            .filter((label) => this.latest.has(label))
            .sort((a, b) => this.latest.get(a) - this.latest.get(b));
        // Shortest first, so that a label that is too long for the server does not block others.
        const unknown = labels
            .filter((label) => !this.latest.has(label))
            .sort((a, b) => a.length - b.length);
        const [[updated = []], [added = []]] = [batchLabels(known), batchLabels(unknown)];
        const since = Math.min(...updated.map((label) => this.latest.get(label)));
        const requests = [
            { labels: added, parameters: {} },
            { labels: updated, parameters: { since } },
        ].filter((request) => request.labels.length > 0);
        const responses = await Promise.allSettled(
            requests.map(({ labels, parameters }) =>
                fetchJson(queryUrl(labels, { by: this.by, ...parameters })),
            ),
        );
        responses.forEach(({ value }, index) => {
            const { labels, parameters } = requests[index];
            if (value) {
                this.#merge(labels, parameters.since ?? 0, value);
            }
        });
        this.#enforceLimits(labels);
        const failed = responses.find(({ status }) => status === "rejected");
        if (failed) {
            throw failed.reason;
        }
    }

    #merge(labels, since, { time, interval, series }) {
        const isLate = (last) => last !== undefined && last < time - maxStepSeconds(interval);
        const received = new Set();
        for (const each of series) {
            const key = seriesKey(each);
            const points = this.series.get(key)?.points ?? [];
            appendPoints(points, each.points);
            points.splice(0, points.length - MAX_POINTS);
            // The writer was there in one of the scrapes, but perhaps not in the latest.
            this.series.set(key, { ...each, key, points, isGone: isLate(each.points.at(-1)?.[0]) });
            received.add(key);
        }
        const requested = new Set(labels);
        for (const [key, each] of this.series) {
            // If `since` is in the future, a missing series does not mean that its writer is gone.
            if (requested.has(each.label) && !received.has(key) && since <= time) {
                each.isGone = true;
            }
        }
        for (const label of labels) {
            this.#updateLatest(label, time, interval);
        }
    }

    // Series that a plot may draw, as lines or as heat maps, keep all their points; others share
    // MAX_UNDRAWN_POINTS.
    #enforceLimits(labels) {
        const all = this.seriesOf(labels);
        const firstOf = (isHistogram) =>
            all
                .filter(
                    ({ kind, points }) =>
                        (kind === "histogram") === isHistogram && points.length > 0,
                )
                .slice(0, MAX_LINES);
        const drawn = new Set([...firstOf(false), ...firstOf(true)]);
        const others = all.filter((series) => !drawn.has(series));
        const count = Math.min(others.length, MAX_SERIES - drawn.size);
        const maxPoints = Math.floor(MAX_UNDRAWN_POINTS / count);
        others.forEach(({ key, label, points }, index) => {
            if (index >= count) {
                this.series.delete(key);
                this.#truncated.add(label);
            } else if (points.length > maxPoints) {
                points.splice(0, points.length - maxPoints);
                this.#truncated.add(label);
            }
        });
    }

    // Sets the time up to which a label is known: that of the response, even if the label has no
    // points. If that is far before the last points, the server's clock was set back; then later
    // points are dropped and the whole history is requested again.
    #updateLatest(label, time, interval) {
        const all = [...this.series.values()].filter((series) => series.label === label);
        const latest = Math.max(this.latest.get(label) ?? 0, ...all.map(lastTime));
        if (latest > time + maxStepSeconds(interval)) {
            all.forEach(({ points }) => appendPoints(points, [], time));
            this.latest.delete(label);
        } else {
            this.latest.set(label, Math.max(latest, time));
        }
    }

    /** Returns the series of these labels, in the order of the labels. */
    seriesOf(labels) {
        const all = [...this.series.values()];
        // Live series first, in the order they arrived, so that each keeps its place and colour.
        // Then ended ones, latest first, as only some of them may fit.
        const compare = (a, b) =>
            hasEnded(a) - hasEnded(b) || (hasEnded(a) ? lastTime(b) - lastTime(a) : 0);
        return labels.flatMap((label) =>
            all.filter((series) => series.label === label).sort(compare),
        );
    }

    /** Removes all labels but these. */
    retain(labels) {
        const isRemoved = (label) => !labels.includes(label);
        const removed = [...this.latest.keys()].filter(isRemoved);
        removed.forEach((label) => this.latest.delete(label));
        [...this.series]
            .filter(([, { label }]) => isRemoved(label))
            .forEach(([key]) => this.series.delete(key));
        if (removed.length > 0) {
            // Requests truncated series again, now that there is space.
            this.#truncated.forEach((label) => this.latest.delete(label));
            this.#truncated.clear();
        }
    }
}

/** Loads the sparklines of rows that become visible, once the table has stopped scrolling. */
export class SparklineLoader {
    #timer = 0;
    #pending = new Set();

    /** `spanSeconds` returns the time that a sparkline covers. */
    constructor(onLoaded, spanSeconds) {
        Object.assign(this, { onLoaded, spanSeconds });
    }

    request(rows) {
        for (const row of rows) {
            if (row.hasTrend && !row.historyRequested) {
                this.#pending.add(row);
            }
        }
        if (this.#pending.size > 0) {
            clearTimeout(this.#timer);
            this.#timer = setTimeout(() => this.#load(), LOAD_DELAY_MS);
        }
    }

    async #load() {
        // After the grouping has changed, both kinds of rows may be pending: of single writers and
        // of all. One request loads one kind.
        const [{ file }] = this.#pending;
        const sameKind = [...this.#pending].filter(
            (row) => (row.file === null) === (file === null),
        );
        const [labels] = batchLabels(new Set(sameKind.map((row) => row.label)));
        const rows = sameKind.filter((row) => labels.includes(row.label));
        rows.forEach((row) => {
            row.historyRequested = true;
            this.#pending.delete(row);
        });
        const by = file === null ? "label" : "file";
        const byKey = new Map(rows.map((row) => [row.key, row]));
        try {
            const { series } = await fetchJson(
                queryUrl(labels, { by, since: -this.spanSeconds() }),
            );
            for (const each of series) {
                const row = byKey.get(seriesKey(each));
                row?.mergeHistory(
                    each.points.map(([time, value, rate]) => {
                        const number = row.isHistogram ? null : toNumber(value);
                        return [time, row.trendValue(number, toNumber(rate))];
                    }),
                );
            }
            this.onLoaded();
        } catch {
            // Until the next attempt, the sparklines grow with every scrape.
            rows.forEach((row) => {
                row.historyFailed = true;
            });
        }
        this.request([]);
    }
}
