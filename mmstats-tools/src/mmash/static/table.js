// The table. Only the entries in the window are in the document, and only cells that changed are
// updated.

import { element, oncePerFrame, setAttribute, setText } from "./dom.js";
import { drawSparkline } from "./sparkline.js";
import { cssProperty } from "./theme.js";

// Name, title, and whether the table can be sorted by it.
const COLUMNS = [
    ["label", "Label", true],
    ["value", "Value", true],
    ["rate", "Rate", true],
    ["trend", "Trend", false],
    ["kind", "Kind", true],
    ["writers", "Writers", true],
    ["add", "Plot", false],
];
// The approximate width of a digit in pixels.
const DIGIT_WIDTH = 9;
// The number of entries above and below the window that are kept in the document.
const OVERSCAN = 8;
// The distance in pixels between press and release up to which it is a click, not a drag.
const MAX_CLICK_DISTANCE = 5;

export class Table {
    /**
     * `actions` has `sort(column)`, `fold(path)`, `open(label)`, `toggle(label)` and
     * `onVisible(rows)`.
     */
    constructor(table, actions) {
        this.actions = actions;
        this.entries = [];
        this.drawn = new Map();
        this.pressed = null;
        this.focusedKey = null;
        this.lostFocusKey = null;
        this.isPrinting = false;
        this.tops = new Float64Array(1);
        this.plotted = new Set();
        this.spaceBefore = this.#createSpacer();
        this.spaceAfter = this.#createSpacer();
        this.body = element("tbody", {}, this.spaceBefore, this.spaceAfter);
        this.heads = new Map(
            COLUMNS.map(([name, ...column]) => [name, this.#createHead(name, ...column)]),
        );
        const caption = element("caption", { className: "visually-hidden" }, "Stats, updated live");
        const head = element("thead", {}, element("tr", {}, ...this.heads.values()));
        table.replaceChildren(caption, head, this.body);
        this.table = table;
        this.scheduleDraw = oncePerFrame(() => this.#draw());
        addEventListener("scroll", this.scheduleDraw, { passive: true });
        for (const [name, isPrinting] of [
            ["beforeprint", true],
            ["afterprint", false],
        ]) {
            addEventListener(name, () => {
                this.isPrinting = isPrinting;
                this.#draw();
            });
        }
        addEventListener("resize", () => {
            this.#measure();
            this.scheduleDraw();
        });
        addEventListener("pointerdown", (event) => {
            this.pressed = event;
        });
        addEventListener("click", (event) => this.#onClick(event));
        this.body.addEventListener("keydown", (event) => this.#onKey(event));
        this.body.addEventListener("focusin", (event) => this.#onFocus(event));
    }

    /** Shows other entries, or the same with others plotted. */
    show(entries, { plotted, sort, desc, clock, by }) {
        const [old, oldTops, order] = [this.entries, this.tops, `${sort} ${desc}`];
        // Finds an old entry among the new ones, or else one with the same label.
        const newIndex = (index) => {
            const { key, row } = old[index] ?? {};
            const same = entries.findIndex((entry) => entry.key === key);
            return same < 0 && row
                ? entries.findIndex((entry) => entry.row?.label === row.label)
                : same;
        };
        // Sorted by numbers, entries move all the time, so the window does not follow one.
        const isStable = order === this.order && (sort === "label" || sort === "kind");
        const anchor = isStable ? this.#findAnchor() : -1;
        const focused = old.findIndex((entry) => entry.key === this.focusedKey);
        const hadFocus = this.body.contains(document.activeElement);
        Object.assign(this, { entries, plotted: new Set(plotted), clock, order });
        this.#measure();
        this.focusedKey = focused < 0 ? null : (entries[newIndex(focused)]?.key ?? null);
        for (const [name, head] of this.heads) {
            setAttribute(
                head,
                "aria-sort",
                name === sort ? (desc ? "descending" : "ascending") : null,
            );
        }
        setText(this.heads.get("writers").firstChild, by === "file" ? "Process" : "Writers");
        setAttribute(this.table, "aria-rowcount", String(entries.length + 1));
        const hasMoved = anchor >= 0 && newIndex(anchor) >= 0;
        const distance = hasMoved ? this.tops[newIndex(anchor)] - oldTops[anchor] : 0;
        if (distance === 0) {
            this.scheduleDraw();
        } else {
            this.#draw();
            scrollBy(0, distance);
            this.#draw();
        }
        if (hadFocus && focused >= 0 && this.focusedKey !== old[focused].key) {
            const index = newIndex(focused);
            this.#focusEntry(index < 0 ? Math.min(focused, entries.length - 1) : index);
        }
    }

    /** Shows new values in the same entries. */
    update(clock) {
        this.clock = clock;
        this.scheduleDraw();
    }

    /** Focuses the entry of a label, or else the last focused one, or else the first. */
    focus(label) {
        const candidates = [
            (entry) => entry.row?.label === label,
            (entry) => entry.key === this.focusedKey,
        ];
        const indexes = candidates.map((matches) => this.entries.findIndex(matches));
        this.#focusEntry(indexes.find((index) => index >= 0) ?? 0);
    }

    // Returns the index of the entry that keeps its place in the window when others appear or
    // vanish: the focused one if it is visible, else the first visible one. Returns -1 while the
    // table's start is visible.
    #findAnchor() {
        const head = this.heads.get("label").getBoundingClientRect().bottom;
        const top = this.spaceBefore.getBoundingClientRect().top;
        if (top >= head) {
            return -1;
        }
        const focused = this.entries.findIndex((entry) => entry.key === this.focusedKey);
        const isVisible =
            focused >= 0 &&
            top + this.tops[focused] >= head &&
            top + this.tops[focused + 1] <= innerHeight;
        return isVisible ? focused : Math.min(this.#indexAt(head - top), this.entries.length - 1);
    }

    #createSpacer() {
        return element("tr", { className: "spacer", "aria-hidden": "true" }, element("td"));
    }

    #createHead(name, title, isSortable) {
        const sort = () => this.actions.sort(name);
        const content = isSortable
            ? element("button", { type: "button", onclick: sort }, title)
            : title;
        return element("th", { scope: "col", className: name }, content);
    }

    // Computes the top of each entry, and the bottom of the last.
    #measure() {
        const [row, group] = ["--row-height", "--group-height"].map(
            (name) => parseFloat(cssProperty(name)) || 32,
        );
        this.rowHeight = row;
        this.padding = 2 * (parseFloat(getComputedStyle(this.heads.get("trend")).paddingLeft) || 0);
        this.tops = new Float64Array(this.entries.length + 1);
        this.entries.forEach((entry, index) => {
            this.tops[index + 1] = this.tops[index] + (entry.row?.hasTrend ? row : group);
        });
    }

    // Returns the index of the entry at this distance in pixels from the top of the first.
    #indexAt(offset) {
        let [low, high] = [0, this.entries.length];
        while (low < high) {
            const middle = (low + high + 1) >> 1;
            [low, high] = this.tops[middle] <= offset ? [middle, high] : [low, middle - 1];
        }
        return low;
    }

    #draw() {
        const { length } = this.entries;
        const top = this.spaceBefore.getBoundingClientRect().top;
        const firstVisible = this.#indexAt(-top);
        const first = this.isPrinting ? 0 : Math.max(0, firstVisible - OVERSCAN);
        const last = this.isPrinting
            ? length
            : Math.min(length, this.#indexAt(innerHeight - top) + 1 + OVERSCAN);
        this.spaceBefore.firstChild.style.height = `${this.tops[first]}px`;
        this.spaceAfter.firstChild.style.height = `${this.tops[length] - this.tops[last]}px`;
        // Measured before anything changes: measuring between changes would lay out the table again
        // each time.
        const style = {
            ...this.clock,
            width: Math.max(this.heads.get("trend").clientWidth - this.padding, 20),
            height: this.rowHeight - 10,
            mean: parseFloat(cssProperty("--sparkline-mean")) || 0,
            line: cssProperty("--sparkline"),
            fill: cssProperty("--sparkline-fill"),
            meanLine: cssProperty("--series-2"),
        };
        const countVisible = (names) =>
            names.filter((name) => this.heads.get(name).offsetParent !== null).length;
        const columns = {
            valueLength: Math.floor((this.heads.get("value").clientWidth - 20) / DIGIT_WIDTH),
            all: this.isPrinting ? 1 : countVisible([...this.heads.keys()]),
            wide: countVisible(["value", "rate", "trend"]),
        };
        // The Tab key reaches the focused entry, or the first visible one if that is scrolled away.
        const isDrawn = this.entries
            .slice(first, last)
            .some((entry) => entry.key === this.focusedKey);
        const tabStop = isDrawn ? this.focusedKey : this.entries[firstVisible]?.key;
        const kept = new Map();
        const focus = document.activeElement;
        const hadFocus = this.body.contains(focus);
        // Vanished entries first: the others are then in place, and an element that is not moved
        // keeps the focus and a press of the mouse.
        const shownKeys = new Set(this.entries.slice(first, last).map((entry) => entry.key));
        for (const [key, { tr }] of this.drawn) {
            if (!shownKeys.has(key)) {
                this.lostFocusKey = tr.contains(focus) ? this.focusedKey : this.lostFocusKey;
                tr.remove();
            }
        }
        let next = this.spaceBefore.nextSibling;
        for (let index = first; index < last; index += 1) {
            const entry = this.entries[index];
            const drawn =
                this.drawn.get(entry.key) ??
                (entry.row ? this.#createRow(entry) : this.#createGroup(entry));
            kept.set(entry.key, drawn);
            if (drawn.tr === next) {
                next = next.nextSibling;
            } else {
                this.body.insertBefore(drawn.tr, next);
            }
            setAttribute(drawn.tr, "aria-rowindex", String(index + 2));
            drawn.button.tabIndex = entry.key === tabStop ? 0 : -1;
            drawn.update(entry, style, columns);
        }
        this.drawn = kept;
        this.#restoreFocus();
        // Moving an element takes the focus from it.
        if (hadFocus && document.activeElement !== focus && this.body.contains(focus)) {
            focus.focus({ preventScroll: true });
        }
        this.actions.onVisible(this.entries.slice(first, last).flatMap((entry) => entry.row ?? []));
    }

    // Restores the focus of an entry that was scrolled away and back, unless something else has the
    // focus by now.
    #restoreFocus() {
        const drawn = this.lostFocusKey && this.drawn.get(this.lostFocusKey);
        if (drawn && document.activeElement === document.body) {
            drawn.button.focus({ preventScroll: true });
        }
        if (drawn || document.activeElement !== document.body) {
            this.lostFocusKey = null;
        }
    }

    #createGroup({ key }) {
        const name = element("span", { className: "name" });
        const count = element("span", { className: "count" });
        const button = element("button", { type: "button", className: "entry" }, name, count);
        const head = element("th", { scope: "rowgroup" }, button);
        const tr = element("tr", { className: "group" }, head);
        tr.dataset.key = key;
        const update = (group, _, columns) => {
            // A span of more columns than there are would add columns.
            if (head.colSpan !== columns.all) {
                head.colSpan = columns.all;
            }
            tr.classList.toggle("dead", group.isDead);
            setAttribute(button, "aria-expanded", String(!group.isFolded));
            button.style.setProperty("--depth", group.depth);
            setText(name, group.name);
            setText(count, `${group.count}${group.isDead ? ", ended" : ""}`);
        };
        return { tr, button, update };
    }

    #createRow({ key, row }) {
        const name = element("span", { className: "name" });
        const ended = element("span", { className: "ended" });
        const button = element("button", { type: "button", className: "entry" }, name, ended);
        const names = ["value", "rate", "trend", "kind", "writers", "add"];
        const cells = names.map((className) => element("td", { className }));
        const [value, rate, trend, kind, writers, addCell] = cells;
        const canvas = element("canvas", { "aria-hidden": "true" });
        const add = element("button", { type: "button", className: "add", tabIndex: -1 });
        trend.append(canvas);
        addCell.append(add);
        const head = element("th", { scope: "row", className: "label" }, button);
        const tr = element("tr", { className: row.hasTrend ? "" : "no-trend" }, head, ...cells);
        tr.dataset.key = key;
        const update = ({ row, depth, text }, style, columns) => {
            const isPlotted = this.plotted.has(row.label);
            tr.classList.toggle("dead", row.isDead);
            tr.classList.toggle("plotted", isPlotted);
            button.style.setProperty("--depth", depth);
            setText(name, text);
            setText(ended, row.isDead ? "ended" : "");
            setAttribute(button, "title", row.tooltip);
            setAttribute(button, "aria-pressed", String(isPlotted));
            const { displayValue } = row;
            // A long value takes the columns of rate and trend if the row has neither.
            const isWide = !row.hasTrend && displayValue.length > columns.valueLength;
            const span = isWide ? columns.wide : 1;
            if (value.colSpan !== span) {
                value.colSpan = span;
                rate.hidden = trend.hidden = isWide;
            }
            tr.classList.toggle("wide", isWide);
            setText(value, displayValue);
            setAttribute(value, "title", row.exactValue);
            value.classList.toggle("mean", row.isMean);
            setText(rate, row.displayRate);
            setAttribute(rate, "title", row.exactRate);
            setText(kind, row.kind);
            setText(writers, String(row.writers ?? row.pid ?? ""));
            setText(add, isPlotted ? "−" : "+");
            const action = isPlotted ? "remove from" : "add to";
            setAttribute(add, "aria-label", `${action} the plot: ${row.displayLabel}`);
            const { width, height, line, now, spanSeconds } = style;
            const { history } = row;
            const points = [history[0]?.[0], history.at(-1)?.[0], history.length];
            const state = [...points, width, height, line, now, spanSeconds].join();
            if (row.hasTrend && canvas.dataset.state !== state) {
                canvas.dataset.state = state;
                drawSparkline(canvas, history, style);
            }
        };
        return { tr, button, update };
    }

    #entryOf(target) {
        const key = target.closest("tr")?.dataset.key;
        return this.entries.find((entry) => entry.key === key);
    }

    // Returns the element of the table that was clicked. Where rows moved between press and
    // release, the browser reports a click on an element around both, but the user meant the
    // pressed one.
    #clicked({ target, clientX, clientY }) {
        const { pressed } = this;
        const isStill =
            pressed &&
            Math.hypot(clientX - pressed.clientX, clientY - pressed.clientY) <= MAX_CLICK_DISTANCE;
        const clicked = isStill && target.contains(this.body) ? pressed.target : target;
        return this.body.contains(clicked) ? clicked : null;
    }

    #onClick(event) {
        const target = this.#clicked(event);
        const entry = target && this.#entryOf(target);
        if (!entry || String(getSelection()) !== "") {
            return;
        }
        if (!entry.row) {
            this.actions.fold(entry.path);
        } else if (target.closest(".add") || event.shiftKey || event.ctrlKey || event.metaKey) {
            this.actions.toggle(entry.row.label);
        } else {
            this.actions.open(entry.row.label);
        }
    }

    #onFocus(event) {
        const entry = this.#entryOf(event.target);
        if (entry && entry.key !== this.focusedKey) {
            this.focusedKey = entry.key;
            this.scheduleDraw();
        }
    }

    #onKey(event) {
        const at = this.entries.findIndex((entry) => entry.key === this.focusedKey);
        const entry = this.entries[at];
        if (!entry || event.altKey || event.ctrlKey || event.metaKey) {
            return;
        }
        const target = {
            ArrowDown: at + 1,
            ArrowUp: at - 1,
            PageDown: this.#indexAt(this.tops[at] + innerHeight * 0.8),
            PageUp: this.#indexAt(this.tops[at] - innerHeight * 0.8),
            Home: 0,
            End: Infinity,
        }[event.key];
        const foldKey = entry.isFolded ? "ArrowRight" : "ArrowLeft";
        if (target !== undefined) {
            this.#focusEntry(Math.min(Math.max(target, 0), this.entries.length - 1));
        } else if (!entry.row && event.key === foldKey) {
            this.actions.fold(entry.path);
        } else if (event.key === "ArrowLeft") {
            const isParent = (other) => !other.row && other.depth < entry.depth;
            this.#focusEntry(Math.max(this.entries.slice(0, at).findLastIndex(isParent), 0));
        } else if (entry.row && (event.key === " " || event.key === "+")) {
            this.actions.toggle(entry.row.label);
        } else {
            return;
        }
        event.preventDefault();
    }

    // Focuses an entry and scrolls it into the window, below the fixed head.
    #focusEntry(index) {
        const entry = this.entries[index];
        if (!entry) {
            return;
        }
        this.focusedKey = entry.key;
        const height = this.tops[index + 1] - this.tops[index];
        const top = this.spaceBefore.getBoundingClientRect().top + this.tops[index];
        const head = this.heads.get("label").getBoundingClientRect();
        if (top < head.bottom) {
            scrollBy(0, top - head.height);
        } else if (top + height > innerHeight) {
            scrollBy(0, top + height - innerHeight + 8);
        }
        this.#draw();
        this.drawn.get(entry.key)?.button.focus({ preventScroll: true });
    }
}
