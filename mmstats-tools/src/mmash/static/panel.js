// The panel of a plot: its charts, and the same as tables.

import { LineChart, exact, format } from "./chart.js";
import { $, element, fillRows, setAttribute, setText } from "./dom.js";
import { HeatMap } from "./heat.js";
import { Histories, portions } from "./history.js";
import { Row } from "./stats.js";
import { MOST_LINES, align, countLines, keyOf, linesOf, summary } from "./series.js";
import { ask, server } from "./stream.js";
import { glob, harmless } from "./text.js";
import { COLOURS } from "./theme.js";
import { clock } from "./units.js";

/** Rows of the data table at most: the last ones. */
const MOST_ROWS = 120;
/** Rows of the table of writers at most: the first ones. */
const MOST_WRITERS = 500;
/** Pixels of its height that are seen at least after something was plotted. */
const LEAST_SEEN = 160;

export class Panel {
    #refreshing = false;

    /** `rowsOf` finds a label's rows in the table. */
    constructor(view, rowsOf) {
        this.view = view;
        this.rowsOf = rowsOf;
        this.histories = { label: new Histories("label"), file: new Histories("file") };
        this.writers = [];
        this.lines = new LineChart($("lines"));
        this.heats = new Map();
        this.interval = 1;
        this.cursor = null;
        this.shown = [];
        this.heated = [];
        $("close").addEventListener("click", () => view.plot([]));
        $("zoom-in").addEventListener("click", () => this.zoomBy(0.5));
        $("zoom-out").addEventListener("click", () => this.zoomBy(2));
        $("zoom-all").addEventListener("click", () => this.zoom(null, null));
        $("data").addEventListener("toggle", () => this.draw());
        new ResizeObserver(() => this.draw()).observe($("lines"));
    }

    get state() {
        return this.view.state;
    }

    get isOpen() {
        return this.state.plot.length > 0;
    }

    get #histories() {
        return this.histories[this.state.writers ? "file" : "label"];
    }

    /** Asks for what is new, and draws it. While one answer is on its way, nothing else is asked for. */
    async refresh() {
        if (this.#refreshing) {
            return;
        }
        this.#refreshing = true;
        try {
            let asked = {};
            while (this.isOpen && (this.state.plot !== asked.plot || this.state.writers !== asked.writers)) {
                asked = this.state;
                await this.#ask(asked);
                this.draw();
            }
        } finally {
            this.#refreshing = false;
        }
    }

    async #ask({ plot, writers }) {
        this.#histories.keep(plot);
        const answers = await Promise.allSettled([this.#histories.refresh(plot), writers && this.#askWriters(plot)]);
        const failed = answers.find(({ status }) => status === "rejected");
        setText($("plot-problem"), failed ? `The server does not answer: ${harmless(failed.reason.message)}` : "");
    }

    async #askWriters(plot) {
        const answers = await Promise.all(portions(plot).map((labels) => {
            const url = server("api/v1/stats?by=file");
            labels.forEach((label) => url.searchParams.append("match", glob(label)));
            return ask(url);
        }));
        this.writers = answers.flatMap(({ stats }) => stats.map((stat) => new Row("", stat)));
    }

    zoom(from, to) {
        this.view.set({ from, to });
    }

    zoomBy(factor) {
        const all = [...this.shown, ...this.heated].map(({ points }) => points);
        const [first, last] = [Math.min(...all.map((points) => points[0][0])), Math.max(...all.map((points) => points.at(-1)[0]))];
        const [from, to] = this.state.from === null ? [first, last] : [this.state.from, this.state.to];
        if (!(to > from)) {
            return;
        }
        const [middle, half] = [(from + to) / 2, ((to - from) / 2) * factor];
        if (middle - half <= first && middle + half >= last) {
            this.zoom(null, null);
        } else {
            this.zoom(Math.round((middle - half) * 1000) / 1000, Math.round((middle + half) * 1000) / 1000);
        }
    }

    draw() {
        $("plot").hidden = !this.isOpen;
        document.body.classList.toggle("plotting", this.isOpen);
        if (!this.isOpen) {
            this.lines.close();
            this.#closeHeats([]);
            return;
        }
        const { plot, show, mean, histogram, writers, from, to } = this.state;
        const series = this.#histories.of(plot).filter((each) => each.points.length > 0);
        const isHeat = (each) => each.kind === "histogram" && histogram === "heat";
        const lined = series.filter((each) => !isHeat(each));
        this.shown = linesOf(lined, { show, most: MOST_LINES });
        this.window = from === null ? null : [from, to];
        $("plot-kinds").hidden = !plot.some((label) => this.rowsOf(label)[0]?.isHistogram);
        const count = countLines(lined, { show });
        const how = { interval: this.interval, zoom: this.window, mean, onZoom: (from, to) => this.zoom(from, to), onCursor: (at) => this.#move(at) };
        $("lines").hidden = this.shown.length === 0;
        if (this.shown.length > 0) {
            this.lines.show(this.shown, how);
        } else {
            this.lines.close();
        }
        this.heated = series.filter(isHeat).slice(0, 8);
        this.#closeHeats(this.heated.map(({ key }) => key));
        this.heated.forEach((each) => this.#heat(each, how));
        const isSeen = ({ points }) => points.some(([time]) => this.window === null || (time >= from && time <= to));
        const isEmpty = series.length > 0 && !series.some(isSeen);
        const left = count > this.shown.length ? `${this.shown.length} of ${count} lines are drawn.` : "";
        setText($("plot-note"), isEmpty ? "Nothing is remembered of this time." : left);
        this.#legend();
        this.#about(plot);
        this.#writers(writers);
        this.#data();
    }

    /** Scrolls to it, if little of it can be seen. */
    reveal() {
        const { top, bottom, height } = $("plot").getBoundingClientRect();
        if (Math.min(bottom, innerHeight) - Math.max(top, 0) < Math.min(LEAST_SEEN, height)) {
            $("plot").scrollIntoView({ block: "start" });
        }
    }

    #heat(series, how) {
        let shown = this.heats.get(series.key);
        if (!shown) {
            const about = `Heat map of ${harmless(series.label)}; its percentiles are in the data table`;
            const host = element("div", { className: "chart", role: "img", "aria-label": about });
            const caption = harmless(series.label) + (series.file ? ` · ${harmless(series.file)}` : "");
            const figure = element("figure", {}, element("figcaption", {}, caption), host);
            $("heats").append(figure);
            shown = { map: new HeatMap(host), figure };
            this.heats.set(series.key, shown);
        }
        const { scale = 0, divisor = 1 } = this.rowsOf(series.label)[0]?.stat ?? {};
        shown.map.show(series, { interval: this.interval, step: 10 ** scale / divisor }, how);
    }

    #closeHeats(kept) {
        for (const [key, { map, figure }] of this.heats) {
            if (!kept.includes(key)) {
                map.close();
                figure.remove();
                this.heats.delete(key);
            }
        }
    }

    #move(at) {
        if (at !== this.cursor) {
            this.cursor = at;
            this.#legend();
        }
    }

    // Numbers of each line: those under the cursor, or the last ones.
    #legend() {
        const [times = [], ...columns] = this.lines.data;
        const [from, to] = this.window ?? [-Infinity, Infinity];
        const at = this.lines.plot && this.cursor !== null && this.cursor < times.length ? this.cursor : null;
        setText($("legend-time"), at === null ? "Last" : clock(times[at]));
        const body = $("legend").tBodies[0];
        this.shown.forEach((line, index) => {
            const row = body.rows[index] ?? this.#legendRow(body, index);
            const values = (columns[index] ?? []).filter((_, place) => times[place] >= from && times[place] <= to);
            const sum = summary(values);
            // What is no number is told, too, though it cannot be drawn.
            const isMeant = at === null ? (time) => time >= from && time <= to : (time) => time === times[at];
            const value = line.points.findLast(([time, value]) => value !== null && isMeant(time))?.[1] ?? null;
            const cells = [value, sum?.least ?? null, sum?.mean ?? null, sum?.most ?? null];
            row.dataset.label = line.label;
            row.classList.toggle("dead", line.isDead);
            row.classList.toggle("dates", line.unit === "unixtime" && !line.isRate);
            setText(row.cells[0].firstChild.lastChild, line.name + (line.isDead ? " (ended)" : ""));
            cells.forEach((number, place) => {
                setText(row.cells[place + 1], number === null ? "" : format(line, number));
                setAttribute(row.cells[place + 1], "title", number === null ? "" : exact(line, number));
            });
            row.cells[5].firstChild.setAttribute("aria-label", `remove ${harmless(line.label)}`);
        });
        while (body.rows.length > this.shown.length) {
            const hadFocus = body.lastChild.contains(document.activeElement);
            body.lastChild.remove();
            if (hadFocus) {
                body.lastChild?.querySelector("button").focus();
            }
        }
        $("legend").hidden = this.shown.length === 0;
    }

    #legendRow(body, index) {
        const swatch = element("span", { className: "swatch" });
        const remove = element("button", { type: "button", className: "add" }, "×");
        const head = element("th", { scope: "row" }, element("span", { className: "series" }, swatch, element("span")));
        const numbers = Array.from({ length: 4 }, () => element("td"));
        const row = element("tr", {}, head, ...numbers, element("td", {}, remove));
        swatch.classList.add(`series-${(index % COLOURS) + 1}`, `dashes-${Math.floor(index / COLOURS)}`);
        remove.addEventListener("click", () => this.view.toggle(row.dataset.label));
        body.append(row);
        return row;
    }

    // Help, and the values of what has no line.
    #about(plot) {
        const entries = plot.flatMap((label) => {
            const [row, ...others] = this.rowsOf(label);
            if (!row) {
                return [[harmless(label), "not published now"]];
            }
            const value = others.every((other) => other.shownValue === row.shownValue) ? row.shownValue : "differs";
            const text = [row.isText || row.value === null ? value : "", harmless(row.help)].filter((part) => part !== "").join(" — ");
            return text === "" ? [] : [[row.shownLabel, text]];
        });
        const list = $("about");
        const wanted = JSON.stringify(entries);
        if (list.dataset.shown !== wanted) {
            list.dataset.shown = wanted;
            list.replaceChildren(...entries.map(([label, text]) => element("div", {}, element("dt", {}, label), element("dd", {}, text))));
        }
        list.hidden = entries.length === 0;
    }

    #writers(wanted) {
        $("writers-table").hidden = !wanted;
        const others = wanted ? this.writers.length - MOST_WRITERS : 0;
        setText($("writers-note"), others > 0 ? `and ${others} more` : "");
        if (!wanted) {
            return;
        }
        const writers = this.writers.slice(0, MOST_WRITERS);
        const rows = writers.map((row) => {
            const liveness = row.isDead ? "ended" : row.stat.liveness;
            return { key: keyOf(row.stat), texts: [row.writer, row.shownLabel, row.shownValue, row.shownRate, liveness] };
        });
        fillRows($("writers-table").tBodies[0], rows).forEach((tr, index) => {
            const { isDead, file, exactValue } = writers[index];
            tr.classList.toggle("dead", isDead);
            setAttribute(tr.cells[0], "title", harmless(file));
            setAttribute(tr.cells[2], "title", exactValue);
        });
    }

    #data() {
        if (!$("data").open) {
            return;
        }
        const lines = [...this.shown, ...linesOf(this.heated, { show: "auto" })];
        const [times = [], ...columns] = align(lines, this.interval);
        const [from, to] = this.window ?? [-Infinity, Infinity];
        const texts = (place) => lines.map((line, index) => format(line, columns[index][place] ?? null));
        const isSaid = (place) => times[place] >= from && times[place] <= to && columns.some((column) => (column[place] ?? null) !== null);
        const places = times.flatMap((_, place) => (isSaid(place) ? [place] : [])).slice(-MOST_ROWS).reverse();
        const heads = ["Time", ...lines.map((line) => line.name)];
        const table = $("data-table");
        if (table.dataset.heads !== JSON.stringify(heads)) {
            table.dataset.heads = JSON.stringify(heads);
            const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
            const caption = element("caption", { className: "hidden" }, "What the charts show, latest first");
            table.replaceChildren(caption, element("thead", {}, head), element("tbody"));
        }
        fillRows(table.tBodies[0], places.map((place) => ({ key: String(times[place]), texts: [clock(times[place]), ...texts(place)] })));
    }

    /** Draws in other colours. */
    recolour() {
        this.lines.signature = "";
        this.heats.forEach(({ map }) => {
            map.signature = "";
        });
        this.draw();
    }
}
