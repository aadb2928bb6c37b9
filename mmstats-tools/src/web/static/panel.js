// The panel of a plot: its charts, and the same as tables.

import { LineChart, format } from "./chart.js";
import { $, element, setText } from "./dom.js";
import { HeatMap } from "./heat.js";
import { Histories, portions } from "./history.js";
import { Row } from "./stats.js";
import { MOST_LINES, align, linesOf, summary } from "./series.js";
import { ask, server } from "./stream.js";
import { glob, harmless } from "./text.js";
import { date } from "./units.js";

/** Rows of the data table at most: the last ones. */
const MOST_ROWS = 120;

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
        const all = linesOf(series.filter((each) => !isHeat(each)), { show });
        this.shown = all.slice(0, MOST_LINES);
        this.window = from === null ? null : [from, to];
        $("plot-kinds").hidden = !plot.some((label) => this.rowsOf(label)[0]?.isHistogram);
        const left = all.length - this.shown.length;
        setText($("plot-note"), left > 0 ? `${this.shown.length} of ${all.length} lines are drawn.` : "");
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
        this.#legend();
        this.#about(plot);
        this.#writers(writers);
        this.#data();
    }

    #heat(series, how) {
        let shown = this.heats.get(series.key);
        if (!shown) {
            const host = element("div", { className: "chart", role: "img", "aria-label": `Heat map of ${harmless(series.label)}; its percentiles are in the data table` });
            const figure = element("figure", {}, element("figcaption", {}, harmless(series.label) + (series.file ? ` · ${harmless(series.file)}` : "")), host);
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
        setText($("legend-time"), at === null ? "Last" : date(times[at]).slice(-8));
        const body = $("legend").tBodies[0];
        this.shown.forEach((line, index) => {
            const row = body.rows[index] ?? this.#legendRow(body, index);
            const values = (columns[index] ?? []).filter((_, place) => times[place] >= from && times[place] <= to);
            const sum = summary(values);
            const value = at === null ? (sum?.last ?? null) : (columns[index][at] ?? null);
            const cells = [value, sum?.least ?? null, sum?.mean ?? null, sum?.most ?? null];
            row.dataset.label = line.label;
            row.classList.toggle("dead", line.isDead);
            setText(row.cells[0].firstChild.lastChild, line.name + (line.isDead ? " (ended)" : ""));
            cells.forEach((number, place) => {
                setText(row.cells[place + 1], number === null ? "" : format(line, number));
                row.cells[place + 1].title = number === null ? "" : `${number} ${harmless(line.unit)}`.trim();
            });
            row.cells[5].firstChild.setAttribute("aria-label", `remove ${line.name}`);
        });
        while (body.rows.length > this.shown.length) {
            body.lastChild.remove();
        }
        $("legend").hidden = this.shown.length === 0;
    }

    #legendRow(body, index) {
        const swatch = element("span", { className: "swatch" });
        const remove = element("button", { type: "button", className: "add" }, "×");
        const row = element("tr", {}, element("th", { scope: "row" }, element("span", { className: "series" }, swatch, element("span"))), element("td"), element("td"), element("td"), element("td"), element("td", {}, remove));
        swatch.classList.add(`series-${(index % 8) + 1}`);
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
        if (!wanted) {
            return;
        }
        const rows = this.writers.slice(0, 500).map((row) => {
            const cells = [row.shownLabel, row.shownValue, row.shownRate, row.isDead ? "ended" : row.stat.liveness];
            const tr = element("tr", { className: row.isDead ? "dead" : "" }, element("th", { scope: "row", title: harmless(row.file) }, row.writer), ...cells.map((text) => element("td", {}, text)));
            tr.cells[2].title = row.exactValue;
            return tr;
        });
        $("writers-table").tBodies[0].replaceChildren(...rows);
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
        const head = element("tr", {}, ...["Time", ...lines.map((line) => line.name)].map((text) => element("th", { scope: "col" }, text)));
        const rows = places.map((place) => {
            const cells = texts(place).map((text) => element("td", {}, text));
            return element("tr", {}, element("th", { scope: "row" }, date(times[place]).slice(-8)), ...cells);
        });
        $("data-table").replaceChildren(element("caption", { className: "hidden" }, "What the charts show, latest first"), element("thead", {}, head), element("tbody", {}, ...rows));
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
