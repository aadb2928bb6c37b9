// JSON with integers of up to 20 digits. JavaScript's numbers hold 15, so longer ones are parsed
// into strings, which keep all digits.

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.]{15,}(?:[eE][+-]?\d+)?/g;

/** Parses JSON; a number that would lose digits becomes a string. */
export function parse(json) {
    if (!/\d[\d.]{15}/.test(json)) {
        return JSON.parse(json);
    }
    const quote = (token) =>
        token[0] === '"' || String(Number(token)) === token ? token : `"${token}"`;
    return JSON.parse(json.replace(TOKEN, quote));
}

/** Converts a parsed value to the nearest JavaScript number; returns null if it is not a number. */
export function toNumber(value) {
    if (typeof value === "number") {
        return value;
    }
    return value === null || value === undefined || typeof value === "object"
        ? null
        : Number(value);
}
