// Lines over time, drawn by uPlot.

import { align, isAlone, rollingMean } from "./series.js";
import { harmless } from "./text.js";
import { colour, seriesColour, seriesDash } from "./theme.js";
import { clock, date, moment, perSecond, quantity } from "./units.js";

const POWERS = Array.from({ length: 70 }, (_, power) => 2 ** power);

// Seconds between two times below a chart, and between two dates beside it.
const STEPS = [1, 2, 5, 10, 15, 30, ...[1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440].map((minutes) => 60 * minutes)];
const DATE_STEPS = [...STEPS, ...[2, 7, 30, 365, 3650].map((days) => 86400 * days)];
const STEPS_OF = { bytes: POWERS, unixtime: DATE_STEPS };

/** How a number of this line is written. */
export function format(line, value) {
    if (line.isRate) {
        return perSecond(value, line.unit);
    }
    return line.unit === "unixtime" && Number.isFinite(value) ? moment(value) : quantity(value, line.unit);
}

/** The same number with all its digits, and what it is. */
export function exact({ unit, isRate }, value) {
    const text = [value, harmless(unit), isRate ? "per second" : ""].filter((part) => part !== "").join(" ");
    return unit === "unixtime" && !isRate && value > 0 ? `${text} (${date(value)})` : text;
}

/** As wide as the texts beside an axis; but no more than a third of the chart is theirs. */
export function axisSize(plot, texts, index) {
    plot.ctx.font = plot.axes[index].font[0];
    const widths = (texts ?? []).flatMap((text) => text.split("\n")).map((text) => plot.ctx.measureText(text).width / devicePixelRatio);
    return Math.min(Math.max(72, ...widths.map((width) => Math.ceil(width) + 20)), plot.width / 3);
}

/** What both kinds of charts have in common: the size, the time below, zoom by dragging. */
export function frame(host, { zoom, onZoom, onCursor }) {
    const thin = { stroke: colour("--grid"), width: 1 };
    const line = { stroke: colour("--muted"), grid: thin, ticks: thin, font: `12px ${colour("--font")}` };
    const select = (plot) => {
        const { left, width } = plot.select;
        if (width > 4) {
            const [from, to] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
            plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
            onZoom(from, to);
        }
    };
    const spread = (least, most) => (most > least ? [least, most] : [least - 1, most + 1]);
    const range = (_, least, most) => zoom ?? (least === null ? [Date.now() / 1000 - 60, Date.now() / 1000] : spread(least, most));
    return {
        line,
        options: {
            width: Math.max(host.clientWidth, 200),
            height: parseFloat(colour("--chart")) || 280,
            legend: { show: false },
            cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 }, bind: { dblclick: () => () => onZoom(null, null) } },
            hooks: { setSelect: [select], setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)] },
            time: { ...line, values: (plot, splits) => splits.map(clock), space: 72, incrs: STEPS },
            range,
        },
    };
}

/** A chart of lines in an element. */
export class LineChart {
    constructor(host) {
        this.host = host;
        this.signature = "";
        this.plot = null;
        this.data = [[]];
    }

    /** Shows these lines; `zoom` is `[from, to]`, or null for all there is; looks are `interval` seconds apart. */
    show(lines, { interval, zoom, mean, onZoom, onCursor }) {
        const [times, ...columns] = align(lines, interval);
        this.data = [times, ...columns];
        const means = mean > 0 ? columns.map((column) => rollingMean(times, column, mean)) : [];
        const drawn = lines.map(({ key, isRate, isDead }) => [key, isRate, isDead]);
        const signature = JSON.stringify([drawn, zoom, mean > 0, this.host.clientWidth, colour("--muted"), colour("--chart")]);
        if (signature !== this.signature) {
            this.close();
            this.signature = signature;
            this.plot = this.#make(lines, { zoom, mean, onZoom, onCursor }, [times, ...columns, ...means]);
        } else {
            this.plot.setData([times, ...columns, ...means]);
        }
    }

    close() {
        this.plot?.destroy();
        this.plot = null;
        this.signature = "";
    }

    #make(lines, how, data) {
        const { options, line } = frame(this.host, how);
        const { time, range, ...rest } = options;
        const scaleOf = ({ unit, isRate }) => (isRate ? `${unit}/s` : unit || "number");
        const scales = [...new Map(lines.map((each) => [scaleOf(each), each]))];
        const axis = ([scale, each], index) => ({
            ...line,
            scale,
            side: index === 0 ? 3 : 1,
            size: axisSize,
            grid: { ...line.grid, show: index === 0 },
            values: (plot, splits) => splits.map((value) => (each.unit === "unixtime" ? format(each, value).replace(" ", "\n") : format(each, value))),
            incrs: STEPS_OF[each.unit],
        });
        const stroke = (index) => seriesColour(index);
        const plain = (each, index) => ({
            scale: scaleOf(each),
            stroke: stroke(index),
            width: how.mean > 0 ? 1 : 1.75,
            alpha: how.mean > 0 ? 0.45 : 1,
            dash: each.isDead ? [4, 4] : seriesDash(index),
            spanGaps: false,
            points: { show: (plot, at, from, to) => to - from < 2, filter: (plot, at, isShown) => (isShown ? null : alone(plot.data[at])) },
        });
        const smooth = (each, index) => ({ scale: scaleOf(each), stroke: stroke(index), width: 2.25, dash: seriesDash(index), points: { show: false } });
        return new uPlot(
            {
                ...rest,
                scales: { x: { time: true, range }, ...Object.fromEntries(scales.map(([scale]) => [scale, { range: roomy }])) },
                axes: [time, ...scales.slice(0, 2).map(axis)],
                series: [{}, ...lines.map(plain), ...(how.mean > 0 ? lines.map(smooth) : [])],
            },
            data,
            this.host,
        );
    }
}

// What has no line to it is seen as a point.
function alone(column) {
    return column.flatMap((_, place) => (isAlone(column, place) ? [place] : []));
}

// From zero on where that is not far; some room above and below.
function roomy(plot, least, most) {
    if (least === null || !Number.isFinite(least) || !Number.isFinite(most)) {
        return [0, 1];
    }
    const bottom = least >= 0 && least <= most / 2 ? 0 : least;
    const room = (most - bottom || Math.abs(most) || 1) * 0.08;
    return [bottom === 0 ? 0 : bottom - room, most + room];
}
