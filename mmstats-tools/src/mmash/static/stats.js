// The rows: what was read last of each label, or of each label of each file.

import { number } from "./exact.js";
import { append, keyOf, mostApart } from "./series.js";
import { basename, harmless } from "./text.js";
import * as units from "./units.js";

/** How many looks a sparkline reaches back, and points it has at most. */
export const LOOKS = 90;
// So many steps from frame to frame tell what is usual.
const STEPS = 3;

// By these every writer tells who it is. They are no amounts, even where the file cannot say so.
const IDENTITY = /(^|\.)sys\.(pid|tid|uid|gid|created|start|boot_id|pid_namespace)$/;

/** One stat, as it is shown. */
export class Row {
    constructor(key, stat) {
        this.key = key;
        this.label = stat.label;
        this.shownLabel = harmless(stat.label);
        this.kind = stat.kind;
        this.unit = stat.unit;
        this.help = stat.help;
        this.file = stat.file ?? null;
        this.pid = stat.pid ?? null;
        this.isText = /[sp]$/.test(stat.type);
        this.isHistogram = stat.kind === "histogram";
        this.haystack = [stat.label, this.shownLabel, this.file ?? "", this.pid ?? ""].join("\n").toLowerCase();
        this.history = [];
        this.askedForHistory = false;
        // The server did not answer: with the next frame it can be asked again.
        this.lacksHistory = false;
        // It says what something is, and not how much there is of it.
        this.isFact = stat.kind === "info" || IDENTITY.test(stat.label);
        this.wantsHistory = !this.isText && !this.isFact && stat.unit !== "unixtime";
        this.update(stat, 0);
    }

    /** Takes over what a look found. */
    update(stat, time) {
        this.stat = stat;
        this.writers = stat.writers ?? null;
        this.isDead = stat.liveness === "dead" || (stat.dead !== undefined && stat.dead >= this.writers);
        this.counts = "rate" in stat && !this.isFact;
        this.rate = number(stat.rate);
        this.value = this.isHistogram ? number(stat.value?.count ?? null) : this.isText ? null : number(stat.value);
        if (time > 0) {
            this.push(time, this.trend(this.value, this.rate));
        }
    }

    /** The number that is shown as its value. */
    get shownNumber() {
        return this.isHistogram && this.value !== null ? number(this.stat.value.p50) : this.value;
    }

    /** What its sparkline shows: the rate of what counts, the value of all else. */
    trend(value, rate) {
        return this.counts ? rate : value;
    }

    push(time, value) {
        append(this.history, value === null ? [] : [[time, value]], time);
        if (this.history.length > LOOKS) {
            this.history.shift();
        }
    }

    /** Takes over what the server remembers: all that there was in its time. */
    fill(points) {
        if (points.length > 0) {
            const later = this.history.filter(([time]) => time > points.at(-1)[0]);
            append(this.history, points, points[0][0]);
            this.history = [...this.history.filter(([, value]) => value !== null), ...later].slice(-LOOKS);
        }
    }

    get shownValue() {
        const { value, error } = this.stat;
        if (value === null || value === undefined) {
            return error === "differs" ? "differs" : error ? "unreadable" : "";
        } else if (this.isText) {
            return harmless(value);
        } else if (typeof value === "boolean") {
            return String(value);
        } else if (this.isHistogram) {
            return this.value === 0 ? "empty" : `p50 ${this.#quantile("p50")}`;
        }
        return this.isFact && this.unit === "" ? String(value) : units.quantity(this.value, this.unit);
    }

    /** Whether its value is the mean of several writers'. */
    get isMean() {
        return this.stat.aggregate === "mean" && this.#measured > 1;
    }

    // Writers that have ended only count if there are no others.
    get #measured() {
        return this.writers - this.stat.dead || this.writers;
    }

    /** The value with all its digits, and what it is. */
    get exactValue() {
        const { value, error, interval } = this.stat;
        if (value === null || value === undefined) {
            return harmless(error ?? "");
        } else if (this.isHistogram) {
            const all = ["p50", "p90", "p99"].filter(() => this.value > 0).map((name) => `, ${name} ${this.#quantile(name)}`);
            return `${value.count} recorded${all.join("")}${this.value > 0 && interval === null ? "; none lately" : ""}`;
        } else if (this.isText || typeof value === "boolean") {
            return harmless(value);
        }
        const date = this.unit === "unixtime" && this.value > 0 ? ` (${units.date(this.value)})` : "";
        return `${value} ${harmless(this.unit)}`.trim() + date + (this.isMean ? `, mean of ${this.#measured}` : "");
    }

    get shownRate() {
        if (!this.counts || this.rate === null) {
            return "";
        }
        return this.isHistogram ? `${units.count(this.rate)}/s` : units.perSecond(this.rate, this.unit);
    }

    get exactRate() {
        return this.counts && this.rate !== null ? `${this.rate} ${this.isHistogram ? "recorded" : harmless(this.unit)} per second`.replace("  ", " ") : "";
    }

    get writer() {
        return `${this.pid ?? "no process"} · ${harmless(basename(this.file ?? ""))}`;
    }

    get about() {
        return [this.shownLabel, harmless(this.help)].filter((text) => text !== "").join("\n");
    }

    #quantile(name) {
        return units.quantity(number(this.stat.value[name]), this.unit);
    }
}

/** All rows, and what the last look said. */
export class Stats {
    constructor() {
        this.rows = new Map();
        this.time = 0;
        this.steps = [];
        this.interval = 1;
    }

    /** Takes over a look; tells whether rows came, went or changed sides. Another is there every `interval` seconds. */
    update(frame, interval) {
        let changed = false;
        // What was missed, in a pause for one, can be asked for again.
        const missed = this.#step(frame.time, interval);
        const rows = new Map();
        for (const stat of frame.stats) {
            const key = keyOf(stat);
            let row = this.rows.get(key);
            const wasDead = row?.isDead;
            if (!row) {
                row = new Row(key, stat);
            }
            row.update(stat, frame.time);
            row.askedForHistory &&= !missed && !row.lacksHistory;
            row.lacksHistory = false;
            changed ||= wasDead !== row.isDead;
            rows.set(key, row);
        }
        changed ||= rows.size !== this.rows.size;
        Object.assign(this, { rows, time: frame.time, interval: frame.interval ?? this.interval });
        return changed;
    }

    // Whether something was missed since the last frame: it is longer ago than usual, also where
    // looks always take long.
    #step(time, interval) {
        // A connection that is made anew begins with the latest look, which may be known.
        if (this.time === 0 || time === this.time) {
            return false;
        }
        const step = time - this.time;
        const usual = this.steps.length > 0 ? Math.min(...this.steps) : 0;
        this.steps = [...this.steps, step].slice(-STEPS);
        return step > mostApart(interval) && step > 3 * usual;
    }

    /** The rows with this label. */
    all(label) {
        return [...this.rows.values()].filter((row) => row.label === label);
    }
}
