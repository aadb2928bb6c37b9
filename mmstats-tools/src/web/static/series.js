// What a plot has of each series: numbers over time, one line or several.

import { number } from "./exact.js";
import { basename, harmless } from "./text.js";

/** Lines that a plot has at most; more cannot be told apart. */
export const MOST_LINES = 24;

/** Whether a stat is plotted by its rate. */
export function byRate(series, show) {
    return show === "rates" || (show === "auto" && (series.kind === "counter" || (series.kind === "untyped" && series.points.some(([, , rate]) => rate !== null && rate !== undefined))));
}

// Of one label's writers, the files say enough.
function name(series, isOnly) {
    const label = harmless(series.label);
    const file = harmless(basename(series.file ?? ""));
    return file === "" ? label : isOnly ? file : `${label} · ${file}`;
}

/** The lines of these series: `{name, label, unit, isRate, points: [[time, number | null]]}`. */
export function linesOf(all, { show }) {
    const isOnly = new Set(all.map(({ label }) => label)).size === 1;
    return all.flatMap((series) => {
        const common = { label: series.label, unit: series.unit, isRate: false, isDead: series.liveness === "dead" };
        const isHistogram = series.kind === "histogram";
        if (isHistogram && show !== "rates") {
            return ["p50", "p90", "p99"].map((part) => {
                const points = series.points.map(([time, value]) => [time, number(value?.[part])]);
                return { ...common, key: `${series.key}\0${part}`, name: `${name(series, isOnly)} ${part}`, points };
            });
        }
        const isRate = byRate(series, show);
        const points = series.points.map(([time, value, rate]) => [time, number(isRate ? rate : value)]);
        return [{ ...common, unit: isHistogram ? "" : series.unit, isRate, key: series.key, name: name(series, isOnly), points }];
    });
}

/** All times of these lines, and the numbers of each at them: what uPlot takes. */
export function align(lines) {
    const times = [...new Set(lines.flatMap((line) => line.points.map(([time]) => time)))].sort((one, other) => one - other);
    const place = new Map(times.map((time, index) => [time, index]));
    const columns = lines.map((line) => {
        const column = new Array(times.length).fill(null);
        line.points.forEach(([time, value]) => {
            column[place.get(time)] = Number.isFinite(value) ? value : null;
        });
        return column;
    });
    return [times, ...columns];
}

/** The mean over the last `window` seconds at each time. */
export function rollingMean(times, values, window) {
    let from = 0;
    return values.map((_, index) => {
        while (times[from] <= times[index] - window) {
            from += 1;
        }
        // Added up anew each time: a sum that is carried on keeps the rounding of its largest number.
        const within = values.slice(from, index + 1).filter((value) => value !== null);
        return within.length > 0 ? within.reduce((sum, value) => sum + value, 0) / within.length : null;
    });
}

/** What there is to say of numbers in one line; nulls are none. */
export function summary(values) {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) {
        return null;
    }
    const [least, most, sum] = known.reduce(([least, most, sum], value) => [Math.min(least, value), Math.max(most, value), sum + value], [Infinity, -Infinity, 0]);
    return { last: known.at(-1), least, most, mean: sum / known.length };
}
