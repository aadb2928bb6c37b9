// Sparklines: small graphs of the last values, without axes.

import { rollingMean, splitAtGaps } from "./series.js";

/**
 * Draws points `[time, value]` of the `spanSeconds` before `now` on a canvas of `width` × `height`
 * pixels. Scrapes are `interval` seconds apart; the graph is interrupted where some are missing. If
 * `mean` is not 0, the rolling mean over that many seconds is drawn, too.
 */
export function drawSparkline(canvas, points, options) {
    const { width, height, now, spanSeconds, interval, mean, line, fill, meanLine } = options;
    const ratio = devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) {
        [canvas.width, canvas.height] = [w, h];
    }
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, w, h);
    const finite = points.filter(
        ([time, value]) => Number.isFinite(value) && time > now - spanSeconds,
    );
    if (finite.length < 2) {
        return;
    }
    const values = finite.map(([, value]) => value);
    let [min, max] = [Math.min(...values), Math.max(...values)];
    // The axis starts at zero unless all values are far from it; a constant is drawn in the middle.
    if (min > 0 && min < max / 2) {
        min = 0;
    }
    const range = max - min;
    const padding = 2 * ratio;
    const x = (time) => w - padding - ((now - time) / spanSeconds) * (w - 2 * padding);
    const y = (value) =>
        range > 0 ? h - padding - ((value - min) / range) * (h - 2 * padding) : h / 2;
    const trace = (part) => {
        context.beginPath();
        part.forEach(([time, value], index) =>
            context[index === 0 ? "moveTo" : "lineTo"](x(time), y(value)),
        );
    };
    context.lineWidth = 1.25 * ratio;
    context.lineJoin = "round";
    for (const part of splitAtGaps(finite, interval)) {
        const [[first, value], [last]] = [part[0], part.at(-1)];
        trace(part);
        context.strokeStyle = line;
        context.stroke();
        if (part.length === 1) {
            context.fillStyle = line;
            context.fillRect(x(first) - ratio, y(value) - ratio, 2 * ratio, 2 * ratio);
        } else if (range > 0) {
            context.lineTo(x(last), h);
            context.lineTo(x(first), h);
            context.fillStyle = fill;
            context.fill();
        }
    }
    if (mean > 0) {
        const times = finite.map(([time]) => time);
        const means = rollingMean(times, values, mean);
        context.strokeStyle = meanLine;
        for (const part of splitAtGaps(
            times.map((time, index) => [time, means[index]]),
            interval,
        )) {
            trace(part);
            context.stroke();
        }
    }
}
