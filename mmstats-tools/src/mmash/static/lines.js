// The lines of the table: rows in their order, under the names of their groups.

import { basename, harmless, nameOf } from "./text.js";

const collator = new Intl.Collator("en", { numeric: true });

// Whether a row has all words of a search in its label, its file or its process.
function matcher(search) {
    const words = search.toLowerCase().split(/\s+/).filter((word) => word !== "");
    return (row) => words.every((word) => row.haystack.includes(word));
}

function comparer({ sort, desc }) {
    const byLabel = (one, other) => collator.compare(one.label, other.label) || collator.compare(one.file ?? "", other.file ?? "");
    const sign = desc ? -1 : 1;
    if (sort === "label") {
        return (one, other) => sign * byLabel(one, other);
    } else if (sort === "kind") {
        return (one, other) => sign * collator.compare(one.kind, other.kind) || byLabel(one, other);
    }
    const shown = sort === "value" ? "shownNumber" : sort;
    const missing = (number) => number === null || Number.isNaN(number);
    // What has no number comes last in either order.
    return (one, other) => {
        const [a, b] = [one[shown], other[shown]];
        return missing(a) - missing(b) || (missing(a) ? 0 : sign * (a - b)) || byLabel(one, other);
    };
}

class Group {
    constructor(path, name) {
        Object.assign(this, { path, name, rows: [], groups: new Map() });
    }

    /** The group of this name in it. */
    inner(name, shown = name) {
        if (!this.groups.has(name)) {
            this.groups.set(name, new Group(this.path === "" ? name : `${this.path}/${name}`, shown));
        }
        return this.groups.get(name);
    }

    get all() {
        return [...this.rows.map(([row]) => row), ...[...this.groups.values()].flatMap((group) => group.all)];
    }
}

// Where a row belongs: its group, and the rest of its label that the group does not say.
const PLACES = {
    none: (root) => [root, null],
    prefix(root, row) {
        const parts = nameOf(row.label).split(".").slice(0, -1);
        const group = parts.reduce((group, part) => group.inner(part, harmless(part)), root);
        return [group, row.label.slice(parts.reduce((length, part) => length + part.length + 1, 0))];
    },
    dimension(root, row) {
        const name = nameOf(row.label);
        return name === row.label ? [root, null] : [root.inner(name, harmless(name)), row.label.slice(name.length)];
    },
    process(root, row) {
        const process = root.inner(String(row.pid ?? "none"), row.pid === null ? "no process" : `process ${row.pid}`);
        return [process.inner(basename(row.file ?? ""), harmless(basename(row.file ?? ""))), null];
    },
};

// A group of one row says nothing that the row cannot say; one group alone in another is shown as
// one with it.
function simplify(group, grouping) {
    for (const [name, inner] of group.groups) {
        simplify(inner, grouping);
        const [only] = inner.groups.values();
        if (inner.groups.size === 1 && inner.rows.length === 0) {
            only.name = grouping === "prefix" ? `${inner.name}.${only.name}` : `${inner.name} · ${only.name}`;
            group.groups.set(name, only);
        } else if (inner.groups.size === 0 && inner.rows.length === 1 && grouping !== "process") {
            const [[row, rest]] = inner.rows;
            group.rows.push([row, grouping === "prefix" ? `${name}.${rest}` : null]);
            group.groups.delete(name);
        }
    }
}

/** The lines for these rows: `{group}` or `{row}`, both with a key and a depth. */
export function lines(rows, state) {
    const [root, matches, compare] = [new Group("", ""), matcher(state.q), comparer(state)];
    const shown = rows.filter(matches);
    for (const row of shown) {
        const [group, rest] = PLACES[state.group](root, row);
        group.rows.push([row, rest]);
    }
    simplify(root, state.group);
    const list = [];
    const folded = new Set(state.fold);
    const add = (group, depth) => {
        group.rows.sort(([one], [other]) => compare(one, other));
        for (const [row, rest] of group.rows) {
            list.push({ key: `row/${row.key}`, row, depth, text: rest === null ? row.shownLabel : harmless(rest) });
        }
        for (const inner of [...group.groups.values()].sort((one, other) => collator.compare(one.name, other.name))) {
            const all = inner.all;
            const isFolded = folded.has(inner.path);
            const isDead = all.every((row) => row.isDead);
            list.push({ key: `group/${inner.path}`, path: inner.path, name: inner.name, depth, count: all.length, isFolded, isDead });
            if (!isFolded) {
                add(inner, depth + 1);
            }
        }
    };
    add(root, 0);
    return { lines: list, shown: shown.length };
}
