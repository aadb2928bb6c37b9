// Sparklines: how a stat went lately, without axes.

import { rollingMean } from "./series.js";
import { LOOKS } from "./stats.js";

/** Draws points `[time, value]`, so many pixels wide and high, that end at `now`, `interval` seconds apart; and their rolling mean, if it is over any seconds at all. */
export function draw(canvas, points, { width, height, now, interval, mean, line, fill, meanLine }) {
    const ratio = devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) {
        [canvas.width, canvas.height] = [w, h];
    }
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, w, h);
    const finite = points.filter(([time, value]) => Number.isFinite(value) && time > now - LOOKS * interval);
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
    const x = (time) => w - pad - ((now - time) / (LOOKS * interval)) * (w - 2 * pad);
    const y = (value) => (span > 0 ? h - pad - ((value - least) / span) * (h - 2 * pad) : h / 2);
    context.beginPath();
    finite.forEach(([time, value], index) => context[index === 0 ? "moveTo" : "lineTo"](x(time), y(value)));
    context.strokeStyle = line;
    context.lineWidth = 1.25 * ratio;
    context.lineJoin = "round";
    context.stroke();
    if (span > 0) {
        context.lineTo(x(finite.at(-1)[0]), h);
        context.lineTo(x(finite[0][0]), h);
        context.fillStyle = fill;
        context.fill();
    }
    if (mean > 0) {
        const means = rollingMean(finite.map(([time]) => time), values, mean);
        context.beginPath();
        means.forEach((value, index) => context[index === 0 ? "moveTo" : "lineTo"](x(finite[index][0]), y(value)));
        context.strokeStyle = meanLine;
        context.stroke();
    }
}
