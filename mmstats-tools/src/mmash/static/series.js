// What a plot has of each series: numbers over time, one line or several.

import { number } from "./exact.js";
import { basename, harmless } from "./text.js";

/** Lines that a plot has at most; more cannot be told apart. */
export const MOST_LINES = 24;

// Of these a histogram has a line each.
const PERCENTILES = ["p50", "p90", "p99"];

// Whether a stat is plotted by its rate.
function byRate({ kind, points }, show) {
    const counts = () => kind === "counter" || (kind === "untyped" && points.some(([, , rate]) => isKnown(rate)));
    return show === "rates" || (show === "auto" && counts());
}

/** What tells a stat, or a series of one, from all others. */
export function keyOf({ label, file, kind, unit, scale, divisor }) {
    return [label, file ?? "", kind, unit, scale ?? 0, divisor ?? 1].join("\0");
}

/** Whether its writer has ended, or vanished; or all of them have. */
export function isOver({ liveness, writers, dead, isGone }) {
    return liveness === "dead" || (dead !== undefined && dead >= writers) || isGone === true;
}

// Of one label's writers, the files say enough.
function name(series, isOnly) {
    const label = harmless(series.label);
    const file = harmless(basename(series.file ?? ""));
    return file === "" ? label : isOnly ? file : `${label} · ${file}`;
}

const hasPercentiles = ({ kind }, show) => kind === "histogram" && show !== "rates";

/** How many lines these series have. */
export function countLines(all, { show }) {
    return all.reduce((count, series) => count + (hasPercentiles(series, show) ? PERCENTILES.length : 1), 0);
}

/** The first lines of these series, so many at most: `{name, label, unit, isRate, points: [[time, number | null]]}`. */
export function linesOf(all, { show, most = Infinity }) {
    const isOnly = new Set(all.map(({ label }) => label)).size === 1;
    const lines = [];
    for (const series of all) {
        // There may be many more, with many points each.
        if (lines.length >= most) {
            break;
        }
        lines.push(...ownLines(series, show, name(series, isOnly)));
    }
    return lines.slice(0, most);
}

function ownLines(series, show, name) {
    const { key, kind, label, unit } = series;
    const common = { label, unit, isRate: false, isDead: isOver(series) };
    if (hasPercentiles(series, show)) {
        return PERCENTILES.map((part) => {
            const points = series.points.map(([time, value]) => [time, number(value?.[part])]);
            return { ...common, key: `${key}\0${part}`, name: `${name} ${part}`, points };
        });
    }
    const isRate = byRate(series, show);
    const points = series.points.map(([time, value, rate]) => [time, number(isRate ? rate : value)]);
    return [{ ...common, unit: kind === "histogram" ? "" : unit, isRate, key, name, points }];
}

/** Adds points to others, and takes away all from a time on. What is said later holds: a clock may have been set back. */
export function append(points, newer, from = Infinity) {
    const cut = (time) => {
        while (points.length > 0 && points.at(-1)[0] >= time) {
            points.pop();
        }
    };
    cut(from);
    for (const point of newer) {
        cut(point[0]);
        points.push(point);
    }
}

// So many before and after tell what is usual somewhere.
const AROUND = 3;

/** Seconds that two looks may be apart at most, if none was missed: some come late. */
export function mostApart(interval) {
    return Math.max(3 * interval, 1);
}

/**
 * The places of those times before which nothing was seen for long: much longer than from look to look, and than is usual there, for looks may have been
 * sparser once.
 */
export function gaps(times, interval) {
    const apart = (place) => times[place] - times[place - 1];
    const usual = (place) => {
        const around = [];
        for (let other = Math.max(place - AROUND, 1); other <= Math.min(place + AROUND, times.length - 1); other += 1) {
            around.push(...(other === place ? [] : [apart(other)]));
        }
        return around.sort((one, other) => one - other)[around.length >> 1] ?? 0;
    };
    const most = mostApart(interval);
    const found = [];
    for (let place = 1; place < times.length; place += 1) {
        if (apart(place) > most && apart(place) > 3 * usual(place)) {
            found.push(place);
        }
    }
    return found;
}

/** Points `[time, value]` in parts between which nothing was seen. */
export function parts(points, interval) {
    const starts = [0, ...gaps(points.map(([time]) => time), interval)];
    return starts.map((start, index) => points.slice(start, starts[index + 1]));
}

/**
 * All times of these lines, and the numbers of each at them: what uPlot takes. A line goes on where it has undefined, and is interrupted where it has null:
 * there was no number, or nothing was seen, and there is a time for it if need be.
 */
export function align(lines, interval) {
    const seen = new Set(lines.flatMap((line) => line.points.map(([time]) => time)));
    const inOrder = () => [...seen].sort((one, other) => one - other);
    const placesOf = (times) => new Map(times.map((time, index) => [time, index]));
    const missing = lines.map((line) => gaps(line.points.map(([time]) => time), interval));
    const places = placesOf(inOrder());
    lines.forEach(({ points }, index) => {
        for (const place of missing[index]) {
            const [[from], [to]] = [points[place - 1], points[place]];
            if (places.get(to) - places.get(from) === 1) {
                seen.add((from + to) / 2);
            }
        }
    });
    const times = inOrder();
    const place = placesOf(times);
    const columns = lines.map(({ points }, index) => {
        const column = new Array(times.length).fill(null);
        const starts = new Set(missing[index]);
        points.forEach(([time, value], at) => {
            if (Number.isFinite(value)) {
                column[place.get(time)] = value;
                if (at > 0 && Number.isFinite(points[at - 1][1]) && !starts.has(at)) {
                    column.fill(undefined, place.get(points[at - 1][0]) + 1, place.get(time));
                }
            }
        });
        return column;
    });
    return [times, ...columns];
}

const isKnown = (value) => value !== null && value !== undefined;

/** Whether a column of these has a number at a place, and no line from or to it. */
export function isAlone(column, place) {
    const next = (step) => {
        let at = place + step;
        while (at >= 0 && at < column.length && column[at] === undefined) {
            at += step;
        }
        return column[at];
    };
    return isKnown(column[place]) && !isKnown(next(-1)) && !isKnown(next(1));
}

/** The mean over the last `window` seconds at each time, where there is a number. */
export function rollingMean(times, values, window) {
    // Before `edge` there are sums from each place up to it, behind it there is one of all: so each
    // number is added twice at most. None is ever taken from a sum, for that would keep the
    // rounding of its largest number.
    const before = new Float64Array(values.length + 1);
    let [from, edge, behind, count] = [0, 0, 0, 0];
    return values.map((value, at) => {
        behind += value ?? 0;
        count += isKnown(value);
        for (; times[from] <= times[at] - window; from += 1) {
            count -= isKnown(values[from]);
        }
        if (from > edge) {
            [edge, behind] = [at + 1, 0];
            before[edge] = 0;
            for (let place = at; place >= from; place -= 1) {
                before[place] = before[place + 1] + (values[place] ?? 0);
            }
        }
        return isKnown(value) ? (before[from] + behind) / count : value;
    });
}

/** What there is to say of the numbers in one column. */
export function summary(values) {
    const known = values.filter(isKnown);
    if (known.length === 0) {
        return null;
    }
    let [least, most, sum] = [Infinity, -Infinity, 0];
    for (const value of known) {
        [least, most, sum] = [Math.min(least, value), Math.max(most, value), sum + value];
    }
    return { last: known.at(-1), least, most, mean: sum / known.length };
}
