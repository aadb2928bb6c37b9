// Texts from elsewhere, made visible. The page only ever sets text, so HTML in them is harmless;
// what is left are characters that act instead of being seen.

// Unicode's control and format characters, and its line and paragraph separators.
const HARMFUL = /[\p{Cc}\p{Zl}\p{Zp}]|(?![\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}])\p{Cf}/gu;
const NAMED = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escape(character) {
    const code = character.codePointAt(0);
    const digits = (width) => code.toString(16).padStart(width, "0");
    return NAMED[character] ?? (code <= 0xff ? `\\x${digits(2)}` : code <= 0xffff ? `\\u${digits(4)}` : `\\U${digits(8)}`);
}

/** A text with every character that acts escaped as in a Python literal: `\x1b`, `\u202e`. */
export function harmless(text) {
    return String(text).replace(HARMFUL, escape);
}

/** A glob that matches exactly this label. */
export function glob(label) {
    return label.replace(/[*?[]/g, "[$&]");
}

/** The part of a path behind its last slash. */
export function basename(path) {
    return path.slice(path.lastIndexOf("/") + 1);
}

/** A label without its dimensions. */
export function nameOf(label) {
    const brace = label.indexOf("{");
    return brace < 0 ? label : label.slice(0, brace);
}
