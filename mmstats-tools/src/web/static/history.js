// What the server remembers, and what came since: the points of plots and of sparklines.

import { number } from "./exact.js";
import { append, isOver, mostApart } from "./series.js";
import { ask, server } from "./stream.js";
import { glob } from "./text.js";

/** Points kept of one series. */
const MOST = 7200;
// Series that are kept in all.
const MOST_SERIES = 1000;
/** Labels asked for at once, so that the URL stays short. */
const AT_ONCE = 40;

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
    #fetching = false;

    constructor(by) {
        this.by = by;
        this.series = new Map();
        this.latest = new Map();
    }

    /** Brings these labels up to date. While one answer is on its way, nothing more is asked for. */
    async refresh(labels) {
        if (this.#fetching) {
            return;
        }
        this.#fetching = true;
        try {
            const known = labels.filter((label) => this.latest.has(label)).slice(0, AT_ONCE);
            const fresh = labels.filter((label) => !this.latest.has(label)).slice(0, AT_ONCE);
            const since = Math.min(...known.map((label) => this.latest.get(label)));
            const questions = [[fresh, {}], [known, { since }]].filter(([asked]) => asked.length > 0);
            const answers = await Promise.all(questions.map(([asked, more]) => ask(query(asked, { by: this.by, ...more }))));
            questions.forEach(([asked, { since }], index) => this.#take(asked, since ?? 0, answers[index]));
        } finally {
            this.#fetching = false;
        }
    }

    #take(labels, since, { time, interval, series }) {
        const isLate = (last) => last !== undefined && last < time - mostApart(interval);
        const found = new Set();
        for (const each of series) {
            const key = [each.label, each.file ?? "", each.kind, each.unit].join("\0");
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
        const oldest = [...this.series].sort(([, one], [, other]) => end(one) - end(other));
        oldest.slice(0, Math.max(0, oldest.length - MOST_SERIES)).forEach(([key]) => this.series.delete(key));
    }

    // What is known of a label goes up to the latest look, for what has no points yet, or never will, too. It is a look at most behind what is remembered, unless
    // the server's clock was set back: then all that is remembered is asked for again.
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
        // Those that go on first: of writers that come and go, only the latest fit.
        const compare = (one, other) => isOver(one) - isOver(other) || end(other) - end(one);
        return labels.flatMap((label) => all.filter((series) => series.label === label).sort(compare));
    }

    /** Forgets all labels but these. */
    keep(labels) {
        const others = (label) => !labels.includes(label);
        [...this.series].filter(([, { label }]) => others(label)).forEach(([key]) => this.series.delete(key));
        [...this.latest.keys()].filter(others).forEach((label) => this.latest.delete(label));
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
        const rows = [...this.#wanted].slice(0, AT_ONCE);
        rows.forEach((row) => {
            row.askedForHistory = true;
            this.#wanted.delete(row);
        });
        const by = rows[0].file === null ? "label" : "file";
        const byKey = new Map(rows.map((row) => [row.key, row]));
        try {
            const answer = await ask(query([...new Set(rows.map((row) => row.label))], { by, since: -this.reach() }));
            for (const series of answer.series) {
                const row = byKey.get([series.label, series.file ?? "", series.kind, series.unit].join("\0"));
                row?.fill(series.points.map(([time, value, rate]) => [time, row.trend(row.isHistogram ? null : number(value), number(rate))]));
            }
            this.filled();
        } catch {
            // They fill up as time goes on.
        }
        this.want([]);
    }
}
