// The rows of the table: the latest values of each label, or of each label in each file.

import { toNumber } from "./json.js";
import { appendPoints, maxStepSeconds, seriesKey } from "./series.js";
import { basename, escapeText } from "./text.js";
import * as units from "./units.js";

/** The number of scrapes that a sparkline covers, and of its points at most. */
export const SPARKLINE_SCRAPES = 90;
// The number of recent steps with which the length of a new one is compared.
const RECENT_STEPS = 3;

// Fields that identify a writer. They are not amounts, though files of version 1 cannot say so.
const IDENTITY = /(^|[^\p{L}\p{N}])sys\.(pid|tid|uid|gid|created|start|boot_id|pid_namespace)$/u;

/** One stat as the table shows it. */
export class Row {
    constructor(key, stat) {
        this.key = key;
        this.label = stat.label;
        this.displayLabel = escapeText(stat.label);
        this.kind = stat.kind;
        this.unit = stat.unit;
        this.help = stat.help;
        this.file = stat.file ?? null;
        this.pid = stat.pid ?? null;
        this.isText = /[sp]$/.test(stat.type);
        this.isHistogram = stat.kind === "histogram";
        const texts = [stat.label, this.displayLabel, this.file ?? "", this.pid ?? ""];
        this.searchText = texts.join("\n").toLowerCase();
        this.history = [];
        this.historyRequested = false;
        // The request for the history failed; the next event allows another.
        this.historyFailed = false;
        // Constants and identity fields are not amounts.
        this.isInfo = stat.kind === "info" || IDENTITY.test(stat.label);
        this.hasTrend = !this.isText && !this.isInfo && stat.unit !== "unixtime";
        this.update(stat, 0);
    }

    /** Updates the row with the stat of a scrape; time 0 adds no point to the sparkline. */
    update(stat, time) {
        this.stat = stat;
        this.writers = stat.writers ?? null;
        this.isDead =
            stat.liveness === "dead" || (stat.dead !== undefined && stat.dead >= this.writers);
        this.isCumulative = "rate" in stat && !this.isInfo;
        this.rate = toNumber(stat.rate);
        if (this.isHistogram) {
            this.value = toNumber(stat.value?.count ?? null);
        } else {
            this.value = this.isText ? null : toNumber(stat.value);
        }
        if (time > 0) {
            this.push(time, this.trendValue(this.value, this.rate));
        }
    }

    /** Returns the number by which the value column is sorted. */
    get displayNumber() {
        return this.isHistogram && this.value !== null ? toNumber(this.stat.value.p50) : this.value;
    }

    /** Returns the number in the sparkline: the rate of cumulative stats, the value of others. */
    trendValue(value, rate) {
        return this.isCumulative ? rate : value;
    }

    push(time, value) {
        appendPoints(this.history, value === null ? [] : [[time, value]], time);
        if (this.history.length > SPARKLINE_SCRAPES) {
            this.history.shift();
        }
    }

    /** Replaces the part of the sparkline that the server's history covers. */
    mergeHistory(points) {
        if (points.length > 0) {
            const later = this.history.filter(([time]) => time > points.at(-1)[0]);
            appendPoints(this.history, points, points[0][0]);
            const known = this.history.filter(([, value]) => value !== null);
            this.history = [...known, ...later].slice(-SPARKLINE_SCRAPES);
        }
    }

    get displayValue() {
        const { value, error } = this.stat;
        if (value === null || value === undefined) {
            return error === "differs" ? "differs" : error ? "unreadable" : "-";
        } else if (this.isText) {
            return escapeText(value);
        } else if (typeof value === "boolean") {
            return String(value);
        } else if (this.isHistogram) {
            return this.value === 0 ? "empty" : `p50 ${this.#formatPercentile("p50")}`;
        }
        return this.isInfo && this.unit === ""
            ? String(value)
            : units.formatQuantity(this.value, this.unit);
    }

    /** Returns `true` if the value is the mean of several writers. */
    get isMean() {
        return this.stat.aggregate === "mean" && this.#countedWriters > 1;
    }

    // Ended writers count only if all have ended, or if the stat is kept.
    get #countedWriters() {
        return this.stat.kept ? this.writers : this.writers - this.stat.dead || this.writers;
    }

    // Returns how one value was made of several, unless that is obvious: `, max of 3`.
    get #aggregateNote() {
        const { aggregate } = this.stat;
        const isNamed = ["mean", "min", "max", "last"].includes(aggregate);
        const isShown = isNamed && this.unit !== "unixtime" && this.#countedWriters > 1;
        return isShown ? `, ${aggregate} of ${this.#countedWriters}` : "";
    }

    /** Returns the value with all its digits and its unit, for the tooltip. */
    get exactValue() {
        const { value, error, interval } = this.stat;
        if (value === null || value === undefined) {
            return escapeText(error ?? "no value yet");
        } else if (this.isHistogram) {
            const names = this.value > 0 ? ["p50", "p90", "p99"] : [];
            const percentiles = names
                .map((name) => `, ${name} ${this.#formatPercentile(name)}`)
                .join("");
            const note = this.value > 0 && interval === null ? "; none in the last interval" : "";
            return `${value.count} recorded${percentiles}${note}`;
        } else if (this.isText || typeof value === "boolean") {
            return escapeText(value) + this.#aggregateNote;
        }
        const isDate = this.unit === "unixtime" && this.value > 0;
        const date = isDate ? ` (${units.formatDate(this.value)})` : "";
        return `${value} ${escapeText(this.unit)}`.trim() + date + this.#aggregateNote;
    }

    get displayRate() {
        if (!this.isCumulative || this.rate === null) {
            return "";
        }
        return this.isHistogram
            ? `${units.formatCount(this.rate)}/s`
            : units.formatRate(this.rate, this.unit);
    }

    get exactRate() {
        if (!this.isCumulative || this.rate === null) {
            return "";
        }
        const unit = this.isHistogram ? "recorded" : escapeText(this.unit);
        return `${this.rate} ${unit} per second`.replace("  ", " ");
    }

    get writer() {
        return `${this.pid ?? "no process"} · ${escapeText(basename(this.file ?? ""))}`;
    }

    get tooltip() {
        return [this.displayLabel, escapeText(this.help)].filter((text) => text !== "").join("\n");
    }

    #formatPercentile(name) {
        return units.formatQuantity(toNumber(this.stat.value[name]), this.unit);
    }
}

/** All rows, as of the latest scrape. */
export class Stats {
    constructor() {
        this.rows = new Map();
        this.time = 0;
        this.steps = [];
        this.interval = 1;
    }

    /**
     * Updates the rows from an event; events are `interval` seconds apart. Returns `true` if a row
     * appeared, vanished, or changed between live and ended.
     */
    update(event, interval) {
        let changed = false;
        // After a gap, such as a pause, the histories are requested again.
        const hasGap = this.#followsGap(event.time, interval);
        const rows = new Map();
        for (const stat of event.stats) {
            const key = seriesKey(stat);
            let row = this.rows.get(key);
            const wasDead = row?.isDead;
            if (!row) {
                row = new Row(key, stat);
            }
            row.update(stat, event.time);
            row.historyRequested &&= !hasGap && !row.historyFailed;
            row.historyFailed = false;
            changed ||= wasDead !== row.isDead;
            rows.set(key, row);
        }
        changed ||= rows.size !== this.rows.size;
        Object.assign(this, { rows, time: event.time, interval: event.interval ?? this.interval });
        return changed;
    }

    // Returns `true` if scrapes are missing before an event: the step is longer than the interval
    // allows and than recent steps, as scrapes may always take long.
    #followsGap(time, interval) {
        // A restored connection starts with the latest scrape, which may be known already.
        if (this.time === 0 || time === this.time) {
            return false;
        }
        const step = time - this.time;
        const usualStep = this.steps.length > 0 ? Math.min(...this.steps) : 0;
        this.steps = [...this.steps, step].slice(-RECENT_STEPS);
        return step > maxStepSeconds(interval) && step > 3 * usualStep;
    }

    /** Returns the rows with this label. */
    rowsOf(label) {
        return [...this.rows.values()].filter((row) => row.label === label);
    }
}
