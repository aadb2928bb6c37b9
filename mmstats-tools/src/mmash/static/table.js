// The table. Only the lines that can be seen are in the document, and only the cells that changed
// are touched.

import { element, oncePerFrame, setAttribute, setText } from "./dom.js";
import { draw } from "./spark.js";
import { colour } from "./theme.js";

const COLUMNS = [
    ["label", "Label", true],
    ["value", "Value", true],
    ["rate", "Rate", true],
    ["trend", "Trend", false],
    ["kind", "Kind", true],
    ["writers", "Writers", true],
    ["add", "Plot", false],
];
// The width of a digit, about, in pixels.
const CHARACTER = 9;
// Lines beyond the window that are kept ready.
const SPARE = 8;

export class Table {
    /** `on` has `sort(column)`, `fold(path)`, `open(label)`, `toggle(label)` and `seen(rows)`. */
    constructor(table, on) {
        this.on = on;
        this.lines = [];
        this.drawn = new Map();
        this.focused = null;
        this.lost = null;
        this.isPrinted = false;
        this.tops = new Float64Array(1);
        this.plotted = new Set();
        this.before = this.#spacer();
        this.after = this.#spacer();
        this.body = element("tbody", {}, this.before, this.after);
        this.heads = new Map(COLUMNS.map(([name, title, sorts]) => [name, this.#head(name, title, sorts)]));
        const caption = element("caption", { className: "hidden" }, "Stats, updated live");
        table.replaceChildren(caption, element("thead", {}, element("tr", {}, ...this.heads.values())), this.body);
        this.table = table;
        this.schedule = oncePerFrame(() => this.#draw());
        addEventListener("scroll", this.schedule, { passive: true });
        for (const [name, isPrinted] of [["beforeprint", true], ["afterprint", false]]) {
            addEventListener(name, () => {
                this.isPrinted = isPrinted;
                this.#draw();
            });
        }
        addEventListener("resize", () => {
            this.#measure();
            this.schedule();
        });
        this.body.addEventListener("click", (event) => this.#click(event));
        this.body.addEventListener("keydown", (event) => this.#key(event));
        this.body.addEventListener("focusin", (event) => this.#focus(event));
    }

    /** Other lines, or others plotted. */
    show(lines, { plotted, sort, desc, clock, by }) {
        const [old, tops, order] = [this.lines, this.tops, `${sort} ${desc}`];
        // The same line, or one of the same label.
        const again = (index) => {
            const { key, row } = old[index] ?? {};
            const same = lines.findIndex((line) => line.key === key);
            return same < 0 && row ? lines.findIndex((line) => line.row?.label === row.label) : same;
        };
        // Where numbers make the order, each line goes its own way.
        const held = order === this.order && (sort === "label" || sort === "kind") ? this.#held() : -1;
        const focused = old.findIndex((line) => line.key === this.focused);
        const hadFocus = this.body.contains(document.activeElement);
        Object.assign(this, { lines, plotted: new Set(plotted), clock, order });
        this.#measure();
        this.focused = focused < 0 ? null : (lines[again(focused)]?.key ?? null);
        for (const [name, head] of this.heads) {
            setAttribute(head, "aria-sort", name === sort ? (desc ? "descending" : "ascending") : null);
        }
        setText(this.heads.get("writers").firstChild, by === "file" ? "Process" : "Writers");
        setAttribute(this.table, "aria-rowcount", String(lines.length + 1));
        const moved = held < 0 || again(held) < 0 ? 0 : this.tops[again(held)] - tops[held];
        if (moved === 0) {
            this.schedule();
        } else {
            this.#draw();
            scrollBy(0, moved);
            this.#draw();
        }
        if (hadFocus && focused >= 0 && this.focused !== old[focused].key) {
            this.#go(again(focused) < 0 ? Math.min(focused, lines.length - 1) : again(focused));
        }
    }

    /** New values in the same lines. */
    update(clock) {
        this.clock = clock;
        this.schedule();
    }

    /** Puts the keyboard on the line of a label, where it was, or on the first line. */
    focus(label) {
        const places = [(line) => line.row?.label === label, (line) => line.key === this.focused].map((is) => this.lines.findIndex(is));
        this.#go(places.find((at) => at >= 0) ?? 0);
    }

    // The line that stays where it is seen when others come and go: with the keyboard on it, or
    // else the first below the heads. Above the table there is none.
    #held() {
        const head = this.heads.get("label").getBoundingClientRect().bottom;
        const top = this.before.getBoundingClientRect().top;
        if (top >= head) {
            return -1;
        }
        const focused = this.lines.findIndex((line) => line.key === this.focused);
        const isSeen = focused >= 0 && top + this.tops[focused] >= head && top + this.tops[focused + 1] <= innerHeight;
        return isSeen ? focused : Math.min(this.#lineAt(head - top), this.lines.length - 1);
    }

    #spacer() {
        return element("tr", { className: "spacer", "aria-hidden": "true" }, element("td"));
    }

    #head(name, title, sorts) {
        const content = sorts ? element("button", { type: "button", onclick: () => this.on.sort(name) }, title) : title;
        return element("th", { scope: "col", className: name }, content);
    }

    // Where each line begins, and the last one ends.
    #measure() {
        const [row, group] = ["--row", "--group"].map((name) => parseFloat(colour(name)) || 32);
        this.rowHeight = row;
        this.padding = 2 * (parseFloat(getComputedStyle(this.heads.get("trend")).paddingLeft) || 0);
        this.tops = new Float64Array(this.lines.length + 1);
        this.lines.forEach((line, index) => {
            this.tops[index + 1] = this.tops[index] + (line.row?.wantsHistory ? row : group);
        });
    }

    // The line at so many pixels from the top of the first.
    #lineAt(offset) {
        let [low, high] = [0, this.lines.length];
        while (low < high) {
            const middle = (low + high + 1) >> 1;
            [low, high] = this.tops[middle] <= offset ? [middle, high] : [low, middle - 1];
        }
        return low;
    }

    #draw() {
        const top = this.before.getBoundingClientRect().top;
        const first = this.isPrinted ? 0 : Math.max(0, this.#lineAt(-top) - SPARE);
        const last = this.isPrinted ? this.lines.length : Math.min(this.lines.length, this.#lineAt(innerHeight - top) + 1 + SPARE);
        this.before.firstChild.style.height = `${this.tops[first]}px`;
        this.after.firstChild.style.height = `${this.tops[this.lines.length] - this.tops[last]}px`;
        const mean = parseFloat(colour("--spark-mean")) || 0;
        // Measured before anything is changed: asking a canvas would lay out the table anew for
        // each.
        const size = { width: Math.max(this.heads.get("trend").clientWidth - this.padding, 20), height: this.rowHeight - 10 };
        const palette = { ...size, ...this.clock, mean, line: colour("--spark"), fill: colour("--spark-fill"), meanLine: colour("--series-2") };
        const visible = (names) => names.filter((name) => this.heads.get(name).offsetParent !== null).length;
        const room = Math.floor((this.heads.get("value").clientWidth - 20) / CHARACTER);
        const columns = { room, all: this.isPrinted ? 1 : visible([...this.heads.keys()]), wide: visible(["value", "rate", "trend"]) };
        // One of the lines that are there, wherever the window was scrolled to.
        const isThere = this.lines.slice(first, last).some((line) => line.key === this.focused);
        const tabStop = isThere ? this.focused : this.lines[this.#lineAt(-top)]?.key;
        const kept = new Map();
        const focus = document.activeElement;
        const hadFocus = this.body.contains(focus);
        let next = this.before.nextSibling;
        for (let index = first; index < last; index += 1) {
            const line = this.lines[index];
            let drawn = this.drawn.get(line.key);
            this.drawn.delete(line.key);
            drawn ??= line.row ? this.#newRow(line) : this.#newGroup(line);
            kept.set(line.key, drawn);
            if (drawn.tr === next) {
                next = next.nextSibling;
            } else {
                this.body.insertBefore(drawn.tr, next);
            }
            setAttribute(drawn.tr, "aria-rowindex", String(index + 2));
            drawn.button.tabIndex = line.key === tabStop ? 0 : -1;
            drawn.update(line, palette, columns);
        }
        for (const { tr } of this.drawn.values()) {
            this.lost = tr.contains(document.activeElement) ? this.focused : this.lost;
            tr.remove();
        }
        this.drawn = kept;
        this.#findFocus();
        // Moving a line takes the focus from it.
        if (hadFocus && document.activeElement !== focus && this.body.contains(focus)) {
            focus.focus({ preventScroll: true });
        }
        this.on.seen(this.lines.slice(first, last).flatMap((line) => line.row ?? []));
    }

    // A line that was scrolled away with the focus gets it back when it is seen again, unless that
    // went elsewhere.
    #findFocus() {
        const drawn = this.lost && this.drawn.get(this.lost);
        if (drawn && document.activeElement === document.body) {
            drawn.button.focus({ preventScroll: true });
        }
        if (drawn || document.activeElement !== document.body) {
            this.lost = null;
        }
    }

    #newGroup(line) {
        const [name, count] = [element("span", { className: "name" }), element("span", { className: "count" })];
        const button = element("button", { type: "button", className: "line" }, name, count);
        const head = element("th", { scope: "rowgroup" }, button);
        const tr = element("tr", { className: "group" }, head);
        tr.dataset.key = line.key;
        const update = (line, _, columns) => {
            // One column more than there are would take room.
            if (head.colSpan !== columns.all) {
                head.colSpan = columns.all;
            }
            tr.classList.toggle("dead", line.isDead);
            setAttribute(button, "aria-expanded", String(!line.isFolded));
            button.style.setProperty("--depth", line.depth);
            setText(name, line.name);
            setText(count, `${line.count}${line.isDead ? ", ended" : ""}`);
        };
        return { tr, button, update };
    }

    #newRow({ key, row }) {
        const name = element("span", { className: "name" });
        const ended = element("span", { className: "ended" });
        const button = element("button", { type: "button", className: "line" }, name, ended);
        const cell = (className) => element("td", { className });
        const [value, rate, trend, kind, writers, last] = ["value", "rate", "trend", "kind", "writers", "add"].map(cell);
        const canvas = element("canvas", { "aria-hidden": "true" });
        const add = element("button", { type: "button", className: "add", tabIndex: -1 });
        trend.append(canvas);
        last.append(add);
        const head = element("th", { scope: "row", className: "label" }, button);
        const tr = element("tr", { className: row.wantsHistory ? "" : "flat" }, head, value, rate, trend, kind, writers, last);
        tr.dataset.key = key;
        const update = ({ row, depth, text }, palette, columns) => {
            const plotted = this.plotted.has(row.label);
            tr.classList.toggle("dead", row.isDead);
            tr.classList.toggle("plotted", plotted);
            button.style.setProperty("--depth", depth);
            setText(name, text);
            setText(ended, row.isDead ? "ended" : "");
            setAttribute(button, "title", row.about);
            setAttribute(button, "aria-pressed", String(plotted));
            const shown = row.shownValue;
            // What has no rate and no trend can have their room.
            const isWide = !row.wantsHistory && shown.length > columns.room;
            const span = isWide ? columns.wide : 1;
            if (value.colSpan !== span) {
                value.colSpan = span;
                rate.hidden = trend.hidden = isWide;
            }
            tr.classList.toggle("wide", isWide);
            setText(value, shown);
            setAttribute(value, "title", row.exactValue);
            value.classList.toggle("mean", row.isMean);
            setText(rate, row.shownRate);
            setAttribute(rate, "title", row.exactRate);
            setText(kind, row.kind);
            setText(writers, String(row.writers ?? row.pid ?? ""));
            setText(add, plotted ? "−" : "+");
            setAttribute(add, "aria-label", `${plotted ? "remove from" : "add to"} the plot: ${row.shownLabel}`);
            const last = row.history.at(-1);
            const state = [row.history[0]?.[0], last?.[0], row.history.length, palette.width, palette.height, palette.line, palette.now, palette.reach].join();
            if (row.wantsHistory && canvas.dataset.state !== state) {
                canvas.dataset.state = state;
                draw(canvas, row.history, palette);
            }
        };
        return { tr, button, update };
    }

    #lineOf(target) {
        const key = target.closest("tr")?.dataset.key;
        return this.lines.find((line) => line.key === key);
    }

    #click(event) {
        const line = this.#lineOf(event.target);
        if (!line || String(getSelection()) !== "") {
            return;
        }
        if (!line.row) {
            this.on.fold(line.path);
        } else if (event.target.closest(".add") || event.shiftKey || event.ctrlKey || event.metaKey) {
            this.on.toggle(line.row.label);
        } else {
            this.on.open(line.row.label);
        }
    }

    #focus(event) {
        const line = this.#lineOf(event.target);
        if (line && line.key !== this.focused) {
            this.focused = line.key;
            this.schedule();
        }
    }

    #key(event) {
        const at = this.lines.findIndex((line) => line.key === this.focused);
        const line = this.lines[at];
        if (!line || event.altKey || event.ctrlKey || event.metaKey) {
            return;
        }
        const to = {
            ArrowDown: at + 1,
            ArrowUp: at - 1,
            PageDown: this.#lineAt(this.tops[at] + innerHeight * 0.8),
            PageUp: this.#lineAt(this.tops[at] - innerHeight * 0.8),
            Home: 0,
            End: Infinity,
        }[event.key];
        if (to !== undefined) {
            this.#go(Math.min(Math.max(to, 0), this.lines.length - 1));
        } else if (!line.row && ((event.key === "ArrowLeft" && !line.isFolded) || (event.key === "ArrowRight" && line.isFolded))) {
            this.on.fold(line.path);
        } else if (event.key === "ArrowLeft") {
            const outer = this.lines.slice(0, at).findLastIndex((other) => !other.row && other.depth < line.depth);
            this.#go(Math.max(outer, 0));
        } else if (line.row && (event.key === " " || event.key === "+")) {
            this.on.toggle(line.row.label);
        } else {
            return;
        }
        event.preventDefault();
    }

    #go(index) {
        const line = this.lines[index];
        if (!line) {
            return;
        }
        this.focused = line.key;
        const height = this.tops[index + 1] - this.tops[index];
        const top = this.before.getBoundingClientRect().top + this.tops[index];
        // The heads stay at the top of the window.
        const head = this.heads.get("label").getBoundingClientRect();
        if (top < head.bottom) {
            scrollBy(0, top - head.height);
        } else if (top + height > innerHeight) {
            scrollBy(0, top + height - innerHeight + 8);
        }
        this.#draw();
        this.drawn.get(line.key)?.button.focus({ preventScroll: true });
    }
}
