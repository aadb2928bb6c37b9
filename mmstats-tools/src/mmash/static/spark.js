// Sparklines: how a stat went lately, without axes.

import { parts, rollingMean } from "./series.js";

/**
 * Draws points `[time, value]`, so many pixels wide and high, of the `reach` seconds before `now`: `interval` seconds apart, interrupted where nothing was seen
 * for long; and their rolling mean, if it is over any seconds at all.
 */
export function draw(canvas, points, { width, height, now, reach, interval, mean, line, fill, meanLine }) {
    const ratio = devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) {
        [canvas.width, canvas.height] = [w, h];
    }
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, w, h);
    const finite = points.filter(([time, value]) => Number.isFinite(value) && time > now - reach);
    if (finite.length < 2) {
        return;
    }
    const values = finite.map(([, value]) => value);
    let [least, most] = [Math.min(...values), Math.max(...values)];
    // What never was far from zero is drawn from zero on; what does not change, in the middle.
    if (least > 0 && least < most / 2) {
        least = 0;
    }
    const span = most - least;
    const pad = 2 * ratio;
    const x = (time) => w - pad - ((now - time) / reach) * (w - 2 * pad);
    const y = (value) => (span > 0 ? h - pad - ((value - least) / span) * (h - 2 * pad) : h / 2);
    const trace = (part) => {
        context.beginPath();
        part.forEach(([time, value], index) => context[index === 0 ? "moveTo" : "lineTo"](x(time), y(value)));
    };
    context.lineWidth = 1.25 * ratio;
    context.lineJoin = "round";
    for (const part of parts(finite, interval)) {
        const [[first, value], [last]] = [part[0], part.at(-1)];
        trace(part);
        context.strokeStyle = line;
        context.stroke();
        if (part.length === 1) {
            context.fillStyle = line;
            context.fillRect(x(first) - ratio, y(value) - ratio, 2 * ratio, 2 * ratio);
        } else if (span > 0) {
            context.lineTo(x(last), h);
            context.lineTo(x(first), h);
            context.fillStyle = fill;
            context.fill();
        }
    }
    if (mean > 0) {
        const means = rollingMean(finite.map(([time]) => time), values, mean);
        context.strokeStyle = meanLine;
        for (const part of parts(finite.map(([time], index) => [time, means[index]]), interval)) {
            trace(part);
            context.stroke();
        }
    }
}
