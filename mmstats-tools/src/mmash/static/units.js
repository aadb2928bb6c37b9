// Numbers for people: three digits, and a unit that makes them short. The same rules as in the
// other tools.

const LARGE = ["", "k", "M", "G", "T", "P", "E"];
const SMALL = ["", "m", "µ", "n", "p"];
const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const SYMBOLS = { volts: "V", amperes: "A", watts: "W", joules: "J", hertz: "Hz", meters: "m", grams: "g" };

function special(value) {
    return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

function threeDigits(value) {
    const size = Math.abs(value);
    const whole = Math.abs(size - Math.round(size)) <= size * 1e-12;
    return value.toFixed(whole ? 0 : size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

function scaled(value, step, prefixes) {
    let rest = value;
    for (const prefix of prefixes) {
        if (Math.abs(rest) < step - 0.5) {
            return threeDigits(rest) + prefix;
        }
        rest /= step;
    }
    return value.toExponential(0).replace("+", "");
}

function below(value, symbol) {
    let rest = value;
    for (const prefix of SMALL) {
        if (Math.abs(rest) >= 0.9995 || rest === 0) {
            return threeDigits(rest) + prefix + symbol;
        }
        rest *= 1000;
    }
    return value.toExponential(2) + symbol;
}

function seconds(value) {
    const [sign, whole] = [value < 0 ? "-" : "", Math.round(Math.abs(value))];
    const two = (part) => String(Math.floor(part)).padStart(2, "0");
    if (Math.abs(value) < 59.95) {
        return below(value, "s");
    } else if (whole < 3600) {
        return `${sign}${Math.floor(Math.max(whole, 60) / 60)}m${two(whole % 60)}s`;
    } else if (whole < 86400) {
        return `${sign}${Math.floor(whole / 3600)}h${two((whole % 3600) / 60)}m`;
    }
    return `${sign}${count(Math.floor(whole / 86400))}d`;
}

/** A number without a unit: `999`, `1.23k`, `0.0012`. */
export function count(value) {
    if (!Number.isFinite(value)) {
        return special(value);
    }
    const size = Math.abs(value);
    if (size >= 1 || size === 0) {
        return scaled(value, 1000, LARGE);
    } else if (size < 0.0001) {
        return value.toExponential(0);
    }
    return String(Number(value.toFixed(size < 0.01 ? 4 : 3)));
}

/** A date out of Unix seconds, in this browser's time zone. */
export function date(value) {
    const when = new Date(value * 1000);
    if (Number.isNaN(when.getTime())) {
        return count(value);
    }
    const two = (part) => String(part).padStart(2, "0");
    const day = [when.getFullYear(), two(when.getMonth() + 1), two(when.getDate())].join("-");
    return `${day} ${clock(value)}`;
}

/** The same, short: of today only the time of day. */
export function moment(value) {
    const isToday = new Date(value * 1000).toDateString() === new Date().toDateString();
    return isToday ? clock(value) : quantity(value, "unixtime");
}

/** The time of day out of Unix seconds, in this browser's time zone. */
export function clock(value) {
    const when = new Date(value * 1000);
    return [when.getHours(), when.getMinutes(), when.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** A number and its unit: `1.21MiB`, `12.3ms`, `45.6%`. */
export function quantity(value, unit) {
    if (value === null) {
        return "";
    } else if (!Number.isFinite(value)) {
        return special(value);
    } else if (unit === "") {
        return count(value);
    } else if (unit === "bytes") {
        return scaled(value, 1024, BINARY) + "B";
    } else if (unit === "seconds") {
        return seconds(value);
    } else if (unit === "ratio") {
        return threeDigits(value * 100) + "%";
    } else if (unit === "unixtime") {
        return value === 0 ? "never" : date(value);
    } else if (unit === "celsius") {
        return threeDigits(value) + "°C";
    } else if (Object.hasOwn(SYMBOLS, unit)) {
        return Math.abs(value) < 1 ? below(value, SYMBOLS[unit]) : scaled(value, 1000, LARGE) + SYMBOLS[unit];
    }
    // A line is only ever broken before the unit.
    return `${count(value)} ${unit.replaceAll(" ", "\u00a0")}`;
}

/** A change per second. Of seconds it is the share of time, of dates nothing. */
export function perSecond(value, unit) {
    if (value === null || unit === "unixtime") {
        return "";
    }
    return unit === "seconds" ? quantity(value, "ratio") : `${quantity(value, unit)}/s`;
}
