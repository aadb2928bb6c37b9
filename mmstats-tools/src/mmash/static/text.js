// Labels, paths and texts of writers. The page only sets text, never HTML, so markup in them has no
// effect; control and format characters are escaped here.

// Unicode's control and format characters, and its line and paragraph separators.
const CONTROL =
    /[\p{Cc}\p{Zl}\p{Zp}]|(?![\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}])\p{Cf}/gu;
const ESCAPES = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escapeCharacter(character) {
    const code = character.codePointAt(0);
    const digits = (width) => code.toString(16).padStart(width, "0");
    const numeric =
        code <= 0xff ? `\\x${digits(2)}` : code <= 0xffff ? `\\u${digits(4)}` : `\\U${digits(8)}`;
    return ESCAPES[character] ?? numeric;
}

/** Escapes control characters as in a Python literal: `\x1b`, `\u202e`. */
export function escapeText(text) {
    return String(text).replace(CONTROL, escapeCharacter);
}

/** Returns a glob that matches exactly this label. */
export function globOf(label) {
    return label.replace(/[*?[]/g, "[$&]");
}

/** Returns the part of a path after its last slash. */
export function basename(path) {
    return path.slice(path.lastIndexOf("/") + 1);
}

/** Returns a label without its dimensions. */
export function labelName(label) {
    const brace = label.indexOf("{");
    return brace < 0 ? label : label.slice(0, brace);
}
