// Numbers for people: three digits, and a prefix that keeps them short. The rules are those of the
// other tools.

const LARGE = ["", "k", "M", "G", "T", "P", "E"];
const SMALL = ["", "m", "µ", "n", "p"];
const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const SYMBOLS = {
    volts: "V",
    amperes: "A",
    watts: "W",
    joules: "J",
    hertz: "Hz",
    meters: "m",
    grams: "g",
};

function formatNonFinite(value) {
    return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

function formatThreeDigits(value) {
    const size = Math.abs(value);
    const isWhole = Math.abs(size - Math.round(size)) <= size * 1e-12;
    return value.toFixed(isWhole ? 0 : size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

function formatWithPrefix(value, step, prefixes) {
    let rest = value;
    for (const prefix of prefixes) {
        if (Math.abs(rest) < step - 0.5) {
            return formatThreeDigits(rest) + prefix;
        }
        rest /= step;
    }
    return value.toExponential(0).replace("+", "");
}

// Formats a value below 1 with a prefix such as milli.
function formatSmall(value, symbol) {
    let rest = value;
    for (const prefix of SMALL) {
        if (Math.abs(rest) >= 0.9995 || rest === 0) {
            return formatThreeDigits(rest) + prefix + symbol;
        }
        rest *= 1000;
    }
    return value.toExponential(2) + symbol;
}

function padTwo(number) {
    return String(Math.floor(number)).padStart(2, "0");
}

function formatDuration(value) {
    const [sign, seconds] = [value < 0 ? "-" : "", Math.round(Math.abs(value))];
    if (Math.abs(value) < 59.95) {
        return formatSmall(value, "s");
    } else if (seconds < 3600) {
        return `${sign}${Math.floor(Math.max(seconds, 60) / 60)}m${padTwo(seconds % 60)}s`;
    } else if (seconds < 86400) {
        return `${sign}${Math.floor(seconds / 3600)}h${padTwo((seconds % 3600) / 60)}m`;
    }
    return `${sign}${formatCount(Math.floor(seconds / 86400))}d`;
}

/** Formats a number without a unit: `999`, `1.23k`, `0.0012`. */
export function formatCount(value) {
    if (!Number.isFinite(value)) {
        return formatNonFinite(value);
    }
    const size = Math.abs(value);
    if (size >= 1 || size === 0) {
        return formatWithPrefix(value, 1000, LARGE);
    } else if (size < 0.0001) {
        return value.toExponential(0);
    }
    return String(Number(value.toFixed(size < 0.01 ? 4 : 3)));
}

/** Formats Unix seconds as a date and time in the browser's time zone. */
export function formatDate(value) {
    const date = new Date(value * 1000);
    if (Number.isNaN(date.getTime())) {
        return formatCount(value);
    }
    const day = [date.getFullYear(), padTwo(date.getMonth() + 1), padTwo(date.getDate())].join("-");
    return `${day} ${formatTime(value)}`;
}

/** Formats Unix seconds like `formatDate`, but without the date if that is today. */
export function formatRecentDate(value) {
    const isToday = new Date(value * 1000).toDateString() === new Date().toDateString();
    return isToday ? formatTime(value) : formatQuantity(value, "unixtime");
}

/** Formats Unix seconds as the time of day in the browser's time zone. */
export function formatTime(value) {
    const date = new Date(value * 1000);
    return [date.getHours(), date.getMinutes(), date.getSeconds()].map(padTwo).join(":");
}

/** Formats a number with its unit: `1.21MiB`, `12.3ms`, `45.6%`. */
export function formatQuantity(value, unit) {
    if (value === null) {
        return "";
    } else if (!Number.isFinite(value)) {
        return formatNonFinite(value);
    } else if (unit === "") {
        return formatCount(value);
    } else if (unit === "bytes") {
        return formatWithPrefix(value, 1024, BINARY) + "B";
    } else if (unit === "seconds") {
        return formatDuration(value);
    } else if (unit === "ratio") {
        return formatThreeDigits(value * 100) + "%";
    } else if (unit === "unixtime") {
        return value === 0 ? "never" : formatDate(value);
    } else if (unit === "celsius") {
        return formatThreeDigits(value) + "°C";
    } else if (Object.hasOwn(SYMBOLS, unit)) {
        const symbol = SYMBOLS[unit];
        return Math.abs(value) < 1
            ? formatSmall(value, symbol)
            : formatWithPrefix(value, 1000, LARGE) + symbol;
    }
    // Non-breaking spaces: a line may break before the unit, not within it.
    return `${formatCount(value)} ${unit.replaceAll(" ", "\u00a0")}`;
}

/**
 * Formats a change per second. That of seconds is a share of the time, so a percentage; that of
 * dates has no meaning and is empty.
 */
export function formatRate(value, unit) {
    if (value === null || unit === "unixtime") {
        return "";
    }
    return unit === "seconds" ? formatQuantity(value, "ratio") : `${formatQuantity(value, unit)}/s`;
}
