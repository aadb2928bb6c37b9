// Heat maps of histograms: time to the right, values upwards, darker where more were counted.

import { axisWidth, chartOptions } from "./chart.js";
import { toNumber } from "./json.js";
import { cssProperty } from "./theme.js";
import { formatQuantity } from "./units.js";

const minOf = (numbers) => numbers.reduce((a, b) => Math.min(a, b));
const maxOf = (numbers) => numbers.reduce((a, b) => Math.max(a, b));

// Builds the cells of a histogram's points: `[start, end, low, high, count]`, with bounds as powers
// of two. Bounds of buckets are inclusive, so a cell extends one `step` further, the distance
// between two recordable values.
function buildCells(points, { interval, step }) {
    const cells = [];
    let previous = -Infinity;
    for (const [time, value] of points) {
        // A scrape may be late, and some may be missing.
        const start = time - previous < 2 * interval ? previous : time - interval;
        previous = time;
        for (const [from, to, count] of value?.buckets ?? []) {
            cells.push([
                start,
                time,
                toNumber(from),
                to === null ? null : toNumber(to),
                toNumber(count),
            ]);
        }
    }
    const positive = cells.map(([, , from]) => from).filter((from) => from > 0);
    const minPower = positive.length > 0 ? Math.log2(minOf(positive)) : 0;
    const powerOf = (bound) => (bound > 0 ? Math.log2(bound) : minPower - 1);
    return cells.map(([start, end, from, to, count]) => {
        const high = to === null ? powerOf(from) + 1 : powerOf(to + step);
        return [start, end, powerOf(from), high, count];
    });
}

/** A heat map of one histogram in an element. */
export class HeatMap {
    constructor(host) {
        this.host = host;
        this.signature = "";
        this.plot = null;
        this.cells = [];
    }

    /** Shows a series; `interval` and `step` are those of its scrapes and its values. */
    show(series, { interval, step }, { zoom, onZoom, onCursor }) {
        this.cells = buildCells(series.points, { interval, step });
        const times = series.points.map(([time]) => time);
        const blank = times.map(() => null);
        const style = ["--muted", "--chart-height"].map(cssProperty);
        const signature = JSON.stringify([series.key, zoom, this.host.clientWidth, style]);
        if (signature !== this.signature) {
            this.close();
            this.signature = signature;
            this.plot = this.#createPlot(series, { zoom, onZoom, onCursor }, [times, blank]);
        } else {
            this.plot.setData([times, blank]);
        }
    }

    close() {
        this.plot?.destroy();
        this.plot = null;
        this.signature = "";
    }

    #createPlot(series, parameters, data) {
        const { options, axisStyle, timeAxis, timeRange } = chartOptions(this.host, parameters);
        const valueAxis = {
            ...axisStyle,
            scale: "powers",
            size: axisWidth,
            values: (plot, splits) =>
                splits.map((power) => formatQuantity(2 ** power, series.unit)),
            incrs: [1, 2, 3, 4, 5, 8, 10, 16, 20],
        };
        const powerRange = () => {
            const powers = this.cells.flatMap(([, , low, high]) => [low, high]);
            return powers.length === 0 ? [0, 1] : [minOf(powers), maxOf(powers)];
        };
        return new uPlot(
            {
                ...options,
                hooks: { ...options.hooks, draw: [(plot) => this.#draw(plot)] },
                scales: { x: { time: true, range: timeRange }, powers: { range: powerRange } },
                axes: [timeAxis, valueAxis],
                series: [{}, { scale: "powers", points: { show: false } }],
            },
            data,
            this.host,
        );
    }

    #draw(plot) {
        const { ctx, bbox } = plot;
        const { min, max } = plot.scales.x;
        const visible = this.cells.filter(([start, end]) => end >= min && start <= max);
        const maxCount = visible.reduce((most, [, , , , count]) => Math.max(most, count), 0);
        ctx.save();
        ctx.beginPath();
        ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
        ctx.clip();
        ctx.fillStyle = cssProperty("--heat");
        for (const [start, end, low, high, count] of visible) {
            // Whole pixels, so that there are no seams between cells.
            const pixel = (value, scale) => Math.round(plot.valToPos(value, scale, true));
            const [left, right] = [pixel(start, "x"), pixel(end, "x")];
            const [top, bottom] = [pixel(high, "powers"), pixel(low, "powers")];
            // The square root keeps rare values visible.
            ctx.globalAlpha = 0.08 + 0.92 * Math.sqrt(count / maxCount);
            const height = Math.max(bottom - top, 1);
            // Keeps the lowest cell within the chart.
            const y = Math.min(top, bbox.top + bbox.height - height);
            ctx.fillRect(left, y, Math.max(right - left, 1), height);
        }
        ctx.restore();
    }
}
