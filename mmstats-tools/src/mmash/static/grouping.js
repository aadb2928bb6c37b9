// The entries of the table: rows in their order, under the headings of their groups.

import { basename, escapeText, labelName } from "./text.js";

const collator = new Intl.Collator("en", { numeric: true });

// Parses a glob: returns a test for each character, and null for each star. (A regular expression
// would try all ways to place the stars.)
function parseGlob(glob) {
    const isIn = (set) => {
        const ranges = Array.from(set.matchAll(/([^])-([^])|[^]/g), ([one, first, last]) => [
            first ?? one,
            last ?? one,
        ]);
        return (character) =>
            ranges.some(([first, last]) => first <= character && character <= last);
    };
    const tokens = glob.matchAll(/\[(!?)(\][^\]]*|[^\]]+)\]|[^]/g);
    return Array.from(tokens, ([token, negation, set]) => {
        if (set !== undefined) {
            const isInSet = isIn(set);
            return (character) => isInSet(character) !== (negation === "!");
        }
        if (token === "*") {
            return null;
        }
        return (character) => token === "?" || character === token;
    });
}

// Returns whether a parsed glob matches a whole text. If the rest does not match, only the last
// star takes another character: if an earlier one did, there would be less text for the last.
function matchesGlob(tokens, text) {
    let [token, at, afterStar, retryAt] = [0, 0, 0, 0];
    while (at < text.length) {
        if (tokens[token] === null) {
            token += 1;
            [afterStar, retryAt] = [token, at];
        } else if (tokens[token]?.(text[at])) {
            token += 1;
            at += 1;
        } else if (afterStar > 0) {
            retryAt += 1;
            [token, at] = [afterStar, retryAt];
        } else {
            return false;
        }
    }
    return tokens.slice(token).every((rest) => rest === null);
}

// Returns a function that checks a row for all words of a search. A word may be anywhere
// in the row's label, file or process; a word with * is a pattern for the whole label.
function buildMatcher(search) {
    const words = search
        .toLowerCase()
        .split(/\s+/)
        .filter((word) => word !== "")
        .map((word) => {
            const glob = word.includes("*") ? parseGlob(word) : null;
            return (row) =>
                glob
                    ? matchesGlob(glob, row.label.toLowerCase())
                    : row.searchText.includes(word);
        });
    return (row) => words.every((matches) => matches(row));
}

function buildComparer({ sort, desc }) {
    const byLabel = (a, b) =>
        collator.compare(a.label, b.label) || collator.compare(a.file ?? "", b.file ?? "");
    const sign = desc ? -1 : 1;
    if (sort === "label") {
        return (a, b) => sign * byLabel(a, b);
    } else if (sort === "kind") {
        return (a, b) => sign * collator.compare(a.kind, b.kind) || byLabel(a, b);
    }
    const property = sort === "value" ? "displayNumber" : sort;
    const isMissing = (number) => number === null || Number.isNaN(number);
    // Rows without a number come last in either order.
    return (a, b) => {
        const [x, y] = [a[property], b[property]];
        return isMissing(x) - isMissing(y) || (isMissing(x) ? 0 : sign * (x - y)) || byLabel(a, b);
    };
}

class Group {
    constructor(path, name) {
        Object.assign(this, { path, name, rows: [], groups: new Map() });
    }

    /** Returns the group in it with this key; creates it if needed. */
    subgroup(key, name = key) {
        if (!this.groups.has(key)) {
            this.groups.set(key, new Group(this.path === "" ? key : `${this.path}/${key}`, name));
        }
        return this.groups.get(key);
    }

    get allRows() {
        const rows = this.rows.map(([row]) => row);
        return [...rows, ...[...this.groups.values()].flatMap((group) => group.allRows)];
    }
}

// For each grouping: returns the group of a row, and the rest of its label that the group's name
// does not contain, or null for the whole label.
const GROUPINGS = {
    none: (root) => [root, null],
    prefix(root, row) {
        const parts = labelName(row.label).split(".").slice(0, -1);
        const group = parts.reduce((group, part) => group.subgroup(part, escapeText(part)), root);
        return [
            group,
            row.label.slice(parts.reduce((length, part) => length + part.length + 1, 0)),
        ];
    },
    dimension(root, row) {
        const name = labelName(row.label);
        if (name === row.label) {
            return [root, null];
        }
        return [root.subgroup(name, escapeText(name)), row.label.slice(name.length)];
    },
    process(root, row) {
        const name = row.pid === null ? "no process" : `process ${row.pid}`;
        const process = root.subgroup(String(row.pid ?? "none"), name);
        const file = basename(row.file ?? "");
        return [process.subgroup(file, escapeText(file)), null];
    },
};

// Replaces a group of one row by the row, and a group that only holds another by that one.
function simplify(group, grouping) {
    for (const [key, inner] of group.groups) {
        simplify(inner, grouping);
        const [only] = inner.groups.values();
        if (inner.groups.size === 1 && inner.rows.length === 0) {
            only.name =
                grouping === "prefix"
                    ? `${inner.name}.${only.name}`
                    : `${inner.name} · ${only.name}`;
            group.groups.set(key, only);
        } else if (inner.groups.size === 0 && inner.rows.length === 1 && grouping !== "process") {
            const [[row, rest]] = inner.rows;
            group.rows.push([row, grouping === "prefix" ? `${key}.${rest}` : null]);
            group.groups.delete(key);
        }
    }
}

/**
 * Returns the entries for these rows, and how many rows match the search. An entry is a row or the
 * heading of a group; both have a key and a depth.
 */
export function buildEntries(rows, state) {
    const [root, matches, compare] = [
        new Group("", ""),
        buildMatcher(state.q),
        buildComparer(state),
    ];
    const matching = rows.filter(matches);
    for (const row of matching) {
        const [group, rest] = GROUPINGS[state.group](root, row);
        group.rows.push([row, rest]);
    }
    simplify(root, state.group);
    const entries = [];
    const folded = new Set(state.fold);
    const addGroup = (group, depth) => {
        group.rows.sort(([a], [b]) => compare(a, b));
        for (const [row, rest] of group.rows) {
            const text = rest === null ? row.displayLabel : escapeText(rest);
            entries.push({ key: `row/${row.key}`, row, depth, text });
        }
        const subgroups = [...group.groups.values()].sort((a, b) =>
            collator.compare(a.name, b.name),
        );
        for (const inner of subgroups) {
            const { path, name, allRows } = inner;
            const isFolded = folded.has(path);
            const isDead = allRows.every((row) => row.isDead);
            entries.push({
                key: `group/${path}`,
                path,
                name,
                depth,
                count: allRows.length,
                isFolded,
                isDead,
            });
            if (!isFolded) {
                addGroup(inner, depth + 1);
            }
        }
    };
    addGroup(root, 0);
    return { entries, count: matching.length };
}
