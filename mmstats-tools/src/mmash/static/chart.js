// Line charts, drawn by uPlot.

import { alignLines, isIsolated, rollingMean } from "./series.js";
import { escapeText } from "./text.js";
import { cssProperty, seriesColor, seriesDash } from "./theme.js";
import { formatDate, formatQuantity, formatRate, formatRecentDate, formatTime } from "./units.js";

const POWERS_OF_TWO = Array.from({ length: 70 }, (_, power) => 2 ** power);

// Possible distances between ticks of the time axis, and of axes of dates, in seconds.
const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440];
const TIME_STEPS = [1, 2, 5, 10, 15, 30, ...MINUTES.map((minutes) => 60 * minutes)];
const DATE_STEPS = [...TIME_STEPS, ...[2, 7, 30, 365, 3650].map((days) => 86400 * days)];
const UNIT_STEPS = { bytes: POWERS_OF_TWO, unixtime: DATE_STEPS };

/** Formats a value of this line. */
export function formatValue(line, value) {
    if (line.isRate) {
        return formatRate(value, line.unit);
    }
    const isDate = line.unit === "unixtime" && Number.isFinite(value);
    return isDate ? formatRecentDate(value) : formatQuantity(value, line.unit);
}

/** Formats the same value with all its digits and its unit. */
export function describeValue({ unit, isRate }, value) {
    const parts = [value, escapeText(unit), isRate ? "per second" : ""];
    const text = parts.filter((part) => part !== "").join(" ");
    return unit === "unixtime" && !isRate && value > 0 ? `${text} (${formatDate(value)})` : text;
}

/** Returns the width of an axis: that of its texts, but at most a third of the chart. */
export function axisWidth(plot, texts, index) {
    plot.ctx.font = plot.axes[index].font[0];
    const widths = (texts ?? [])
        .flatMap((text) => text.split("\n"))
        .map((text) => Math.ceil(plot.ctx.measureText(text).width / devicePixelRatio) + 20);
    return Math.min(Math.max(72, ...widths), plot.width / 3);
}

/** Returns what charts share: the size, the time axis, zooming by dragging, and line styles. */
export function chartOptions(host, { zoom, onZoom, onCursor }) {
    const thin = { stroke: cssProperty("--grid"), width: 1 };
    const font = `12px ${cssProperty("--font")}`;
    const axisStyle = { stroke: cssProperty("--muted"), grid: thin, ticks: thin, font };
    const select = (plot) => {
        const { left, width } = plot.select;
        if (width > 4) {
            const [from, to] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
            plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
            onZoom(from, to);
        }
    };
    const widen = (min, max) => (max > min ? [min, max] : [min - 1, max + 1]);
    const timeRange = (_, min, max) => {
        const now = Date.now() / 1000;
        return zoom ?? (min === null ? [now - 60, now] : widen(min, max));
    };
    return {
        axisStyle,
        timeAxis: {
            ...axisStyle,
            values: (plot, splits) => splits.map(formatTime),
            space: 72,
            incrs: TIME_STEPS,
        },
        timeRange,
        options: {
            width: Math.max(host.clientWidth, 200),
            height: parseFloat(cssProperty("--chart-height")) || 280,
            legend: { show: false },
            cursor: {
                drag: { x: true, y: false, setScale: false },
                points: { size: 7 },
                bind: { dblclick: () => () => onZoom(null, null) },
            },
            hooks: {
                setSelect: [select],
                setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)],
            },
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

    /**
     * Shows these lines. `zoom` is `[from, to]`, or null for all points; scrapes are `interval`
     * seconds apart; `mean` is the window of the rolling mean in seconds, or 0.
     */
    show(lines, { interval, zoom, mean, onZoom, onCursor }) {
        const [times, ...columns] = alignLines(lines, interval);
        this.data = [times, ...columns];
        const means = mean > 0 ? columns.map((column) => rollingMean(times, column, mean)) : [];
        const drawn = lines.map(({ key, isRate, isDead }) => [key, isRate, isDead]);
        const style = ["--muted", "--chart-height"].map(cssProperty);
        const signature = JSON.stringify([drawn, zoom, mean > 0, this.host.clientWidth, style]);
        if (signature !== this.signature) {
            this.close();
            this.signature = signature;
            this.plot = this.#createPlot(lines, { zoom, mean, onZoom, onCursor }, [
                times,
                ...columns,
                ...means,
            ]);
        } else {
            this.plot.setData([times, ...columns, ...means]);
        }
    }

    close() {
        this.plot?.destroy();
        this.plot = null;
        this.signature = "";
    }

    #createPlot(lines, parameters, data) {
        const { options, axisStyle, timeAxis, timeRange } = chartOptions(this.host, parameters);
        const hasMeans = parameters.mean > 0;
        const scaleOf = ({ unit, isRate }) => (isRate ? `${unit}/s` : unit || "number");
        const scales = [...new Map(lines.map((line) => [scaleOf(line), line]))];
        const formatTick = (line, value) =>
            line.unit === "unixtime"
                ? formatValue(line, value).replace(" ", "\n")
                : formatValue(line, value);
        const axis = ([scale, line], index) => ({
            ...axisStyle,
            scale,
            side: index === 0 ? 3 : 1,
            size: axisWidth,
            grid: { ...axisStyle.grid, show: index === 0 },
            values: (plot, splits) => splits.map((value) => formatTick(line, value)),
            incrs: UNIT_STEPS[line.unit],
        });
        const valueSeries = (line, index) => ({
            scale: scaleOf(line),
            stroke: seriesColor(index),
            width: hasMeans ? 1 : 1.75,
            alpha: hasMeans ? 0.45 : 1,
            dash: line.isDead ? [4, 4] : seriesDash(index),
            spanGaps: false,
            points: {
                show: (plot, at, from, to) => to - from < 2,
                filter: (plot, at, isShown) => (isShown ? null : isolatedPoints(plot.data[at])),
            },
        });
        const meanSeries = (line, index) => ({
            scale: scaleOf(line),
            stroke: seriesColor(index),
            width: 2.25,
            dash: seriesDash(index),
            points: { show: false },
        });
        const valueScales = Object.fromEntries(
            scales.map(([scale]) => [scale, { range: paddedRange }]),
        );
        return new uPlot(
            {
                ...options,
                scales: { x: { time: true, range: timeRange }, ...valueScales },
                axes: [timeAxis, ...scales.slice(0, 2).map(axis)],
                series: [{}, ...lines.map(valueSeries), ...(hasMeans ? lines.map(meanSeries) : [])],
            },
            data,
            this.host,
        );
    }
}

// Returns the indexes of values that no line leads to; they are drawn as points.
function isolatedPoints(column) {
    return column.flatMap((_, index) => (isIsolated(column, index) ? [index] : []));
}

// Returns the range of an axis: from zero if that is not far, and with some padding.
function paddedRange(plot, min, max) {
    if (min === null || !Number.isFinite(min) || !Number.isFinite(max)) {
        return [0, 1];
    }
    const bottom = min >= 0 && min <= max / 2 ? 0 : min;
    const padding = (max - bottom || Math.abs(max) || 1) * 0.08;
    return [bottom === 0 ? 0 : bottom - padding, max + padding];
}
