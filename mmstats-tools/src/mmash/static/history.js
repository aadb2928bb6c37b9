// What the server remembers, and what came since: the points of plots and of sparklines.

import { number } from "./exact.js";
import { MOST_LINES, append, isOver, keyOf, mostApart } from "./series.js";
import { ask, server } from "./stream.js";
import { glob } from "./text.js";

/** Points kept of one series. */
const MOST = 7200;
// Series that are kept in all, and points of all those that a plot does not draw.
const [MOST_SERIES, MOST_OTHERS] = [1000, 300_000];
// Labels asked for at once, and characters that they may take in a URL: servers take no long ones.
const [AT_ONCE, LONGEST] = [40, 8 << 10];

/** These labels in parts, each of which can be asked for at once. One that is too long is alone. */
export function portions(labels) {
    const found = [];
    let length = Infinity;
    for (const label of labels) {
        const own = new URLSearchParams({ match: glob(label) }).toString().length;
        if (length + own > LONGEST || found.at(-1).length >= AT_ONCE) {
            found.push([]);
            length = 0;
        }
        found.at(-1).push(label);
        length += own;
    }
    return found;
}

function query(labels, parameters) {
    const url = server("api/v1/query");
    labels.forEach((label) => url.searchParams.append("match", glob(label)));
    Object.entries(parameters).forEach(([name, value]) => url.searchParams.set(name, value));
    return url;
}

// The time of a series' last point.
const end = (series) => series.points.at(-1)?.[0] ?? 0;

/** Histories of labels: one series each, or one for each of its writers. */
export class Histories {
    // Labels of which something was left out, for there was no room.
    #cut = new Set();

    constructor(by) {
        this.by = by;
        this.series = new Map();
        this.latest = new Map();
    }

    /** Brings these labels up to date, or as many as can be asked for at once: those first that are not for longest. */
    async refresh(labels) {
        const oldest = labels.filter((label) => this.latest.has(label)).sort((one, other) => this.latest.get(one) - this.latest.get(other));
        // One that is too long for the server is not to keep others from being asked for.
        const shortest = labels.filter((label) => !this.latest.has(label)).sort((one, other) => one.length - other.length);
        const [[known = []], [fresh = []]] = [portions(oldest), portions(shortest)];
        const since = Math.min(...known.map((label) => this.latest.get(label)));
        const questions = [[fresh, {}], [known, { since }]].filter(([asked]) => asked.length > 0);
        const answers = await Promise.allSettled(questions.map(([asked, more]) => ask(query(asked, { by: this.by, ...more }))));
        questions.forEach(([asked, { since }], index) => answers[index].value && this.#take(asked, since ?? 0, answers[index].value));
        this.#bound(labels);
        const failed = answers.find(({ status }) => status === "rejected");
        if (failed) {
            throw failed.reason;
        }
    }

    #take(labels, since, { time, interval, series }) {
        const isLate = (last) => last !== undefined && last < time - mostApart(interval);
        const found = new Set();
        for (const each of series) {
            const key = keyOf(each);
            const points = this.series.get(key)?.points ?? [];
            append(points, each.points);
            points.splice(0, points.length - MOST);
            // It is of the looks asked for; in the latest of them it may not have been any more.
            this.series.set(key, { ...each, key, points, isGone: isLate(each.points.at(-1)?.[0]) });
            found.add(key);
        }
        const asked = new Set(labels);
        for (const [key, each] of this.series) {
            // Of times to come, nothing is known of any.
            if (asked.has(each.label) && !found.has(key) && since <= time) {
                each.isGone = true;
            }
        }
        for (const label of labels) {
            this.#rewind(label, time, interval);
        }
    }

    // Those that a plot may draw, lines or histograms, are kept as long as any; all others share
    // some room.
    #bound(labels) {
        const all = this.of(labels);
        const first = (isHistogram) => all.filter(({ kind, points }) => (kind === "histogram") === isHistogram && points.length > 0).slice(0, MOST_LINES);
        const drawn = new Set([...first(false), ...first(true)]);
        const others = all.filter((series) => !drawn.has(series));
        const count = Math.min(others.length, MOST_SERIES - drawn.size);
        const most = Math.floor(MOST_OTHERS / count);
        others.forEach(({ key, label, points }, index) => {
            if (index >= count) {
                this.series.delete(key);
                this.#cut.add(label);
            } else if (points.length > most) {
                points.splice(0, points.length - most);
                this.#cut.add(label);
            }
        });
    }

    // What is known of a label goes up to the latest look, for what has no points yet, or never
    // will, too. It is a look at most behind what is remembered, unless the server's clock was set
    // back: then all that is remembered is asked for again.
    #rewind(label, time, interval) {
        const all = [...this.series.values()].filter((series) => series.label === label);
        const latest = Math.max(this.latest.get(label) ?? 0, ...all.map(end));
        if (latest > time + mostApart(interval)) {
            all.forEach(({ points }) => append(points, [], time));
            this.latest.delete(label);
        } else {
            this.latest.set(label, Math.max(latest, time));
        }
    }

    /** The series of these labels, in their order. */
    of(labels) {
        const all = [...this.series.values()];
        // Those that go on first, in the order they came: each keeps its place and its colour. Of
        // writers that come and go, only the latest fit.
        const compare = (one, other) => isOver(one) - isOver(other) || (isOver(one) ? end(other) - end(one) : 0);
        return labels.flatMap((label) => all.filter((series) => series.label === label).sort(compare));
    }

    /** Forgets all labels but these. */
    keep(labels) {
        const others = (label) => !labels.includes(label);
        const forgotten = [...this.latest.keys()].filter(others);
        forgotten.forEach((label) => this.latest.delete(label));
        [...this.series].filter(([, { label }]) => others(label)).forEach(([key]) => this.series.delete(key));
        if (forgotten.length > 0) {
            // There is room now for what had none: it is asked for again.
            this.#cut.forEach((label) => this.latest.delete(label));
            this.#cut.clear();
        }
    }
}

/** Fills the sparklines of rows that were seen for the first time, a moment after the table has come to rest. */
export class Filler {
    #timer = 0;
    #wanted = new Set();

    /** `reach` tells how many seconds a sparkline goes back. */
    constructor(filled, reach) {
        Object.assign(this, { filled, reach });
    }

    want(rows) {
        for (const row of rows) {
            if (row.wantsHistory && !row.askedForHistory) {
                this.#wanted.add(row);
            }
        }
        if (this.#wanted.size > 0) {
            clearTimeout(this.#timer);
            this.#timer = setTimeout(() => this.#fetch(), 60);
        }
    }

    async #fetch() {
        // Rows of all writers and rows of each are not asked for at once: there may be both, when
        // the table has been grouped otherwise.
        const [{ file }] = this.#wanted;
        const alike = [...this.#wanted].filter((row) => (row.file === null) === (file === null));
        const [labels] = portions(new Set(alike.map((row) => row.label)));
        const rows = alike.filter((row) => labels.includes(row.label));
        rows.forEach((row) => {
            row.askedForHistory = true;
            this.#wanted.delete(row);
        });
        const by = file === null ? "label" : "file";
        const byKey = new Map(rows.map((row) => [row.key, row]));
        try {
            const answer = await ask(query(labels, { by, since: -this.reach() }));
            for (const series of answer.series) {
                const row = byKey.get(keyOf(series));
                row?.fill(series.points.map(([time, value, rate]) => [time, row.trend(row.isHistogram ? null : number(value), number(rate))]));
            }
            this.filled();
        } catch {
            // Meanwhile, they fill up as time goes on.
            rows.forEach((row) => {
                row.lacksHistory = true;
            });
        }
        this.want([]);
    }
}
