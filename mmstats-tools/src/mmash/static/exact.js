// JSON whose integers have up to 20 digits. JavaScript's numbers keep 15, so longer ones stay
// texts, and are shown with all their digits.

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.]{15,}(?:[eE][+-]?\d+)?/g;

/** Parses JSON; a number that would lose digits becomes a text. */
export function parse(json) {
    if (!/\d[\d.]{15}/.test(json)) {
        return JSON.parse(json);
    }
    const keep = (token) => (token[0] === '"' || String(Number(token)) === token ? token : `"${token}"`);
    return JSON.parse(json.replace(TOKEN, keep));
}

/** A number out of such JSON, as near as JavaScript can have it; null if there is none. */
export function number(value) {
    if (typeof value === "number") {
        return value;
    }
    return value === null || value === undefined || typeof value === "object" ? null : Number(value);
}
