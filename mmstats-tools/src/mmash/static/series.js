// Time series as plots use them: points, lines and statistics.

import { toNumber } from "./json.js";
import { basename, escapeText } from "./text.js";

/** The largest number of lines in a plot; more would be indistinguishable. */
export const MAX_LINES = 24;

// The percentiles of a histogram that are drawn, as one line each.
const PERCENTILES = ["p50", "p90", "p99"];

// Returns `true` if the rate of a series is plotted instead of its value.
function isPlottedByRate({ kind, points }, show) {
    const isCounter = () =>
        kind === "counter" || (kind === "untyped" && points.some(([, , rate]) => isKnown(rate)));
    return show === "rates" || (show === "auto" && isCounter());
}

/** Returns the key that identifies a stat, or a series of one. */
export function seriesKey({ label, file, kind, unit, scale, divisor, aggregation }) {
    const meaning = [kind, unit, scale ?? 0, divisor ?? 1, aggregation ?? ""];
    return [label, file ?? "", ...meaning].join("\0");
}

/** Returns `true` if the writer of a series has ended or disappeared; for several, if all have. */
export function hasEnded({ liveness, writers, dead, isGone }) {
    return liveness === "dead" || (dead !== undefined && dead >= writers) || isGone === true;
}

// If all series have one label, the file names suffice.
function seriesName(series, isOnlyLabel) {
    const label = escapeText(series.label);
    const file = escapeText(basename(series.file ?? ""));
    return file === "" ? label : isOnlyLabel ? file : `${label} · ${file}`;
}

const isPlottedByPercentiles = ({ kind }, show) => kind === "histogram" && show !== "rates";

/** Returns the number of lines that these series have. */
export function countLines(all, { show }) {
    const count = (series) => (isPlottedByPercentiles(series, show) ? PERCENTILES.length : 1);
    return all.reduce((sum, series) => sum + count(series), 0);
}

/**
 * Builds the lines of these series, at most `max`:
 * `{key, name, label, unit, isRate, isDead, points}` with points `[time, number | null]`.
 */
export function buildLines(all, { show, max = Infinity }) {
    const isOnlyLabel = new Set(all.map(({ label }) => label)).size === 1;
    const lines = [];
    for (const series of all) {
        // Skips the points of series that would not be drawn.
        if (lines.length >= max) {
            break;
        }
        lines.push(...linesOfSeries(series, show, seriesName(series, isOnlyLabel)));
    }
    return lines.slice(0, max);
}

function linesOfSeries(series, show, name) {
    const { key, kind, label, unit } = series;
    const common = { label, unit, isRate: false, isDead: hasEnded(series) };
    if (isPlottedByPercentiles(series, show)) {
        return PERCENTILES.map((percentile) => {
            const points = series.points.map(([time, value]) => [
                time,
                toNumber(value?.[percentile]),
            ]);
            return {
                ...common,
                key: `${key}\0${percentile}`,
                name: `${name} ${percentile}`,
                points,
            };
        });
    }
    const isRate = isPlottedByRate(series, show);
    const points = series.points.map(([time, value, rate]) => [
        time,
        toNumber(isRate ? rate : value),
    ]);
    return [{ ...common, unit: kind === "histogram" ? "" : unit, isRate, key, name, points }];
}

/**
 * Appends points, after removing all from the time `from` on. A newer point replaces older ones of
 * the same or a later time, as the clock may have been set back.
 */
export function appendPoints(points, newer, from = Infinity) {
    const truncate = (time) => {
        while (points.length > 0 && points.at(-1)[0] >= time) {
            points.pop();
        }
    };
    truncate(from);
    for (const point of newer) {
        truncate(point[0]);
        points.push(point);
    }
}

// The number of steps before and after a step with which its length is compared.
const NEIGHBOURS = 3;

/** Returns the longest time in seconds between two scrapes with none missing: some are late. */
export function maxStepSeconds(interval) {
    return Math.max(3 * interval, 1);
}

/**
 * Returns the indexes of the times that follow a gap: a step that is much longer than the interval
 * and than the steps around it, as scrapes may have been less frequent in the past.
 */
export function findGaps(times, interval) {
    const step = (index) => times[index] - times[index - 1];
    const usualStep = (index) => {
        const around = [];
        const last = Math.min(index + NEIGHBOURS, times.length - 1);
        for (let other = Math.max(index - NEIGHBOURS, 1); other <= last; other += 1) {
            around.push(...(other === index ? [] : [step(other)]));
        }
        return around.sort((a, b) => a - b)[around.length >> 1] ?? 0;
    };
    const max = maxStepSeconds(interval);
    const gaps = [];
    for (let index = 1; index < times.length; index += 1) {
        if (step(index) > max && step(index) > 3 * usualStep(index)) {
            gaps.push(index);
        }
    }
    return gaps;
}

/** Splits points `[time, value]` at the gaps. */
export function splitAtGaps(points, interval) {
    const starts = [
        0,
        ...findGaps(
            points.map(([time]) => time),
            interval,
        ),
    ];
    return starts.map((start, index) => points.slice(start, starts[index + 1]));
}

/**
 * Converts lines to uPlot's form: all times, then for each line a column of numbers at these times.
 * uPlot draws a line on through undefined and interrupts it at null, so a column has null where
 * there was no number, and in gaps; a gap gets a time of its own if no other line has one there.
 */
export function alignLines(lines, interval) {
    const seen = new Set(lines.flatMap((line) => line.points.map(([time]) => time)));
    const sortTimes = () => [...seen].sort((a, b) => a - b);
    const indexTimes = (times) => new Map(times.map((time, index) => [time, index]));
    const gaps = lines.map((line) =>
        findGaps(
            line.points.map(([time]) => time),
            interval,
        ),
    );
    const indexes = indexTimes(sortTimes());
    lines.forEach(({ points }, index) => {
        for (const gap of gaps[index]) {
            const [[from], [to]] = [points[gap - 1], points[gap]];
            if (indexes.get(to) - indexes.get(from) === 1) {
                seen.add((from + to) / 2);
            }
        }
    });
    const times = sortTimes();
    const rowOf = indexTimes(times);
    const columns = lines.map(({ points }, index) => {
        const column = new Array(times.length).fill(null);
        const starts = new Set(gaps[index]);
        points.forEach(([time, value], at) => {
            if (Number.isFinite(value)) {
                column[rowOf.get(time)] = value;
                if (at > 0 && Number.isFinite(points[at - 1][1]) && !starts.has(at)) {
                    column.fill(undefined, rowOf.get(points[at - 1][0]) + 1, rowOf.get(time));
                }
            }
        });
        return column;
    });
    return [times, ...columns];
}

const isKnown = (value) => value !== null && value !== undefined;

/** Returns `true` if a column has a number at an index, and no line from or to it. */
export function isIsolated(column, index) {
    const neighbour = (step) => {
        let at = index + step;
        while (at >= 0 && at < column.length && column[at] === undefined) {
            at += step;
        }
        return column[at];
    };
    return isKnown(column[index]) && !isKnown(neighbour(-1)) && !isKnown(neighbour(1));
}

/** Returns the mean over the last `window` seconds at each time that has a number. */
export function rollingMean(times, values, window) {
    // Two parts make the sum of a window: for places before `edge`, the sums from each place up to
    // `edge`; from `edge` on, one running sum. So each number is added at most twice, and none is
    // ever subtracted, which would keep the rounding error of the largest number.
    const sumsBefore = new Float64Array(values.length + 1);
    let [from, edge, sumAfter, count] = [0, 0, 0, 0];
    return values.map((value, at) => {
        sumAfter += value ?? 0;
        count += isKnown(value);
        for (; times[from] <= times[at] - window; from += 1) {
            count -= isKnown(values[from]);
        }
        if (from > edge) {
            [edge, sumAfter] = [at + 1, 0];
            sumsBefore[edge] = 0;
            for (let index = at; index >= from; index -= 1) {
                sumsBefore[index] = sumsBefore[index + 1] + (values[index] ?? 0);
            }
        }
        return isKnown(value) ? (sumsBefore[from] + sumAfter) / count : value;
    });
}

/** Returns statistics of the numbers in a column; null if it has none. */
export function summarize(values) {
    const known = values.filter(isKnown);
    if (known.length === 0) {
        return null;
    }
    let [min, max, sum] = [Infinity, -Infinity, 0];
    for (const value of known) {
        [min, max, sum] = [Math.min(min, value), Math.max(max, value), sum + value];
    }
    return { last: known.at(-1), min, max, mean: sum / known.length };
}
