// What the server remembers, and what came since: the points of plots and of sparklines.

import { number } from "./exact.js";
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

/** Histories of labels: one series each, or one for each of its writers. */
export class Histories {
    #fetching = false;

    constructor(by) {
        this.by = by;
        this.series = new Map();
        this.latest = new Map();
    }

    /** Brings these labels up to date; tells whether anything is new. While one answer is on its way, nothing more is asked for. */
    async refresh(labels) {
        if (this.#fetching || labels.length === 0) {
            return false;
        }
        this.#fetching = true;
        try {
            const known = labels.filter((label) => this.latest.has(label)).slice(0, AT_ONCE);
            const fresh = labels.filter((label) => !this.latest.has(label)).slice(0, AT_ONCE);
            const since = Math.min(...known.map((label) => this.latest.get(label)));
            const asked = [];
            if (fresh.length > 0) {
                asked.push(ask(query(fresh, { by: this.by })));
            }
            if (known.length > 0) {
                asked.push(ask(query(known, { by: this.by, since })));
            }
            const answers = await Promise.all(asked);
            // What has no points yet may have some from now on.
            fresh.forEach((label) => this.latest.set(label, answers[0].time));
            const any = answers.map((answer) => this.#take(answer)).includes(true);
            // Nor is what has none, a text, to be asked for from the beginning each time.
            known.forEach((label) => this.latest.set(label, Math.max(this.latest.get(label), answers.at(-1).time)));
            return any;
        } finally {
            this.#fetching = false;
        }
    }

    #take(answer) {
        let any = false;
        for (const found of answer.series) {
            const key = [found.label, found.file ?? "", found.kind, found.unit].join("\0");
            const kept = this.series.get(key) ?? { ...found, key, points: [] };
            this.series.set(key, Object.assign(kept, { ...found, key, points: kept.points }));
            const last = kept.points.at(-1)?.[0] ?? 0;
            const points = found.points.filter(([time]) => time > last);
            kept.points.push(...points);
            kept.points.splice(0, kept.points.length - MOST);
            any ||= points.length > 0;
            this.latest.set(found.label, Math.max(this.latest.get(found.label) ?? 0, kept.points.at(-1)?.[0] ?? 0));
        }
        const oldest = [...this.series].sort(([, one], [, other]) => (one.points.at(-1)?.[0] ?? 0) - (other.points.at(-1)?.[0] ?? 0));
        oldest.slice(0, Math.max(0, oldest.length - MOST_SERIES)).forEach(([key]) => this.series.delete(key));
        return any;
    }

    /** The series of these labels, in their order. */
    of(labels) {
        const all = [...this.series.values()];
        // Those that go on first: of writers that come and go, only the latest fit.
        const ended = (series) => -(series.points.at(-1)?.[0] ?? 0);
        return labels.flatMap((label) => all.filter((series) => series.label === label).sort((one, other) => ended(one) - ended(other)));
    }

    /** Forgets all labels but these. */
    keep(labels) {
        for (const [key, series] of this.series) {
            if (!labels.includes(series.label)) {
                this.series.delete(key);
                this.latest.delete(series.label);
            }
        }
    }
}

/** Fills the sparklines of rows that were seen for the first time, a moment after the table has come to rest. */
export class Filler {
    #timer = 0;
    #wanted = new Set();

    constructor(filled) {
        this.filled = filled;
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
            const answer = await ask(query([...new Set(rows.map((row) => row.label))], { by, since: -120 }));
            for (const series of answer.series) {
                const row = byKey.get([series.label, series.file ?? "", series.kind, series.unit].join("\0"));
                row?.prepend(series.points.map(([time, value, rate]) => [time, row.trend(row.isHistogram ? null : number(value), number(rate))]));
            }
            this.filled();
        } catch {
            // They fill up as time goes on.
        }
        this.want([]);
    }
}
