// A histogram over time as a heat map: time to the right, values upwards, darker where more were
// counted.

import { axisSize, frame } from "./chart.js";
import { number } from "./exact.js";
import { colour } from "./theme.js";
import { quantity } from "./units.js";

// The cells of a histogram's points: `[start, end, low, high, count]`, with bounds as powers of
// two. Buckets have whole numbers of `step` from their first to their last.
function cellsOf(points, { interval, step }) {
    const cells = [];
    let before = -Infinity;
    for (const [time, value] of points) {
        // Looks may come late, and not all were remembered.
        const start = time - before < 2 * interval ? before : time - interval;
        before = time;
        for (const [from, to, count] of value?.buckets ?? []) {
            cells.push([start, time, number(from), to === null ? null : number(to), number(count)]);
        }
    }
    const positive = cells.map(([, , from]) => from).filter((from) => from > 0);
    const least = positive.length > 0 ? Math.log2(positive.reduce((one, other) => Math.min(one, other))) : 0;
    const power = (bound) => (bound > 0 ? Math.log2(bound) : least - 1);
    return cells.map(([start, end, from, to, count]) => [start, end, power(from), to === null ? power(from) + 1 : power(to + step), count]);
}

/** A heat map of one histogram in an element. */
export class HeatMap {
    constructor(host) {
        this.host = host;
        this.signature = "";
        this.plot = null;
        this.cells = [];
    }

    show(series, how, { zoom, onZoom, onCursor }) {
        this.cells = cellsOf(series.points, how);
        const times = series.points.map(([time]) => time);
        const tops = times.map(() => null);
        const signature = JSON.stringify([series.key, zoom, this.host.clientWidth, colour("--muted"), colour("--chart")]);
        if (signature !== this.signature) {
            this.close();
            this.signature = signature;
            this.plot = this.#make(series, { zoom, onZoom, onCursor }, [times, tops]);
        } else {
            this.plot.setData([times, tops]);
        }
    }

    close() {
        this.plot?.destroy();
        this.plot = null;
        this.signature = "";
    }

    #make(series, how, data) {
        const { options, line } = frame(this.host, how);
        const { time, range, hooks, ...rest } = options;
        const values = (plot, splits) => splits.map((power) => quantity(2 ** power, series.unit));
        const bounds = () => {
            const all = this.cells.flatMap(([, , low, high]) => [low, high]);
            return all.length === 0 ? [0, 1] : [all.reduce((one, other) => Math.min(one, other)), all.reduce((one, other) => Math.max(one, other))];
        };
        return new uPlot(
            {
                ...rest,
                hooks: { ...hooks, draw: [(plot) => this.#draw(plot)] },
                scales: { x: { time: true, range }, powers: { range: bounds } },
                axes: [time, { ...line, scale: "powers", size: axisSize, values, incrs: [1, 2, 3, 4, 5, 8, 10, 16, 20] }],
                series: [{}, { scale: "powers", points: { show: false } }],
            },
            data,
            this.host,
        );
    }

    #draw(plot) {
        const { ctx, bbox } = plot;
        const { min, max } = plot.scales.x;
        const seen = this.cells.filter(([start, end]) => end >= min && start <= max);
        const most = seen.reduce((most, [, , , , count]) => Math.max(most, count), 0);
        ctx.save();
        ctx.beginPath();
        ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
        ctx.clip();
        ctx.fillStyle = colour("--heat");
        for (const [start, end, low, high, count] of seen) {
            // On whole pixels there are no seams.
            const at = (value, scale) => Math.round(plot.valToPos(value, scale, true));
            const [left, right] = [at(start, "x"), at(end, "x")];
            const [top, bottom] = [at(high, "powers"), at(low, "powers")];
            // The root of the share: rare values are to be seen, too.
            ctx.globalAlpha = 0.08 + 0.92 * Math.sqrt(count / most);
            const height = Math.max(bottom - top, 1);
            // Below the lowest pixel nothing is seen.
            ctx.fillRect(left, Math.min(top, bbox.top + bbox.height - height), Math.max(right - left, 1), height);
        }
        ctx.restore();
    }
}
