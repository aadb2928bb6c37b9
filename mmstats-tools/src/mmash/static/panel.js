// The plot panel: its charts, and their data as tables.

import { LineChart, describeValue, formatValue } from "./chart.js";
import { $, element, setAttribute, setText, updateRows } from "./dom.js";
import { HeatMap } from "./heatmap.js";
import { Histories, batchLabels } from "./history.js";
import { Row } from "./stats.js";
import { MAX_LINES, alignLines, buildLines, countLines, seriesKey, summarize } from "./series.js";
import { fetchJson, serverUrl } from "./stream.js";
import { escapeText, globOf } from "./text.js";
import { SERIES_COLORS } from "./theme.js";
import { formatTime } from "./units.js";

/** The largest number of rows in the data table; the latest are shown. */
const MAX_DATA_ROWS = 120;
/** The largest number of rows in the table of writers; the first are shown. */
const MAX_WRITERS = 500;
/** The largest number of heat maps. */
const MAX_HEAT_MAPS = 8;
/** If fewer pixels of the panel's height are visible, `reveal` scrolls to it. */
const MIN_VISIBLE_PIXELS = 160;

export class Panel {
    #isRefreshing = false;

    /** `rowsOf` returns the table's rows of a label. */
    constructor(view, rowsOf) {
        this.view = view;
        this.rowsOf = rowsOf;
        this.histories = { label: new Histories("label"), file: new Histories("file") };
        this.writers = [];
        this.lineChart = new LineChart($("lines"));
        this.heatMaps = new Map();
        this.interval = 1;
        this.cursor = null;
        this.lines = [];
        this.heatSeries = [];
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

    get #activeHistories() {
        return this.histories[this.state.writers ? "file" : "label"];
    }

    /** Loads and draws new data. Only one refresh runs at a time. */
    async refresh() {
        if (this.#isRefreshing) {
            return;
        }
        this.#isRefreshing = true;
        try {
            let loaded = {};
            while (
                this.isOpen &&
                (this.state.plot !== loaded.plot || this.state.writers !== loaded.writers)
            ) {
                loaded = this.state;
                await this.#load(loaded);
                this.draw();
            }
        } finally {
            this.#isRefreshing = false;
        }
    }

    async #load({ plot, writers }) {
        this.#activeHistories.retain(plot);
        const requests = [this.#activeHistories.refresh(plot), writers && this.#loadWriters(plot)];
        const results = await Promise.allSettled(requests);
        const failed = results.find(({ status }) => status === "rejected");
        setText(
            $("plot-error"),
            failed ? `Cannot load data: ${escapeText(failed.reason.message)}` : "",
        );
    }

    async #loadWriters(plot) {
        const responses = await Promise.all(
            batchLabels(plot).map((labels) => {
                const url = serverUrl("api/v1/stats?by=file");
                labels.forEach((label) => url.searchParams.append("match", globOf(label)));
                return fetchJson(url);
            }),
        );
        this.writers = responses.flatMap(({ stats }) => stats.map((stat) => new Row("", stat)));
    }

    zoom(from, to) {
        this.view.set({ from, to });
    }

    zoomBy(factor) {
        const all = [...this.lines, ...this.heatSeries].map(({ points }) => points);
        const first = Math.min(...all.map((points) => points[0][0]));
        const last = Math.max(...all.map((points) => points.at(-1)[0]));
        const [from, to] =
            this.state.from === null ? [first, last] : [this.state.from, this.state.to];
        if (!(to > from)) {
            return;
        }
        const [middle, half] = [(from + to) / 2, ((to - from) / 2) * factor];
        if (middle - half <= first && middle + half >= last) {
            this.zoom(null, null);
        } else {
            const round = (time) => Math.round(time * 1000) / 1000;
            this.zoom(round(middle - half), round(middle + half));
        }
    }

    draw() {
        $("plot").hidden = !this.isOpen;
        document.body.classList.toggle("plotting", this.isOpen);
        if (!this.isOpen) {
            this.lineChart.close();
            this.#closeHeatMaps([]);
            return;
        }
        const { plot, show, mean, histogram, writers, from, to } = this.state;
        const all = this.#activeHistories.seriesOf(plot).filter(({ points }) => points.length > 0);
        const isHeatMap = ({ kind }) => kind === "histogram" && histogram === "heat";
        const lineSeries = all.filter((series) => !isHeatMap(series));
        this.lines = buildLines(lineSeries, { show, max: MAX_LINES });
        this.window = from === null ? null : [from, to];
        $("histogram-control").hidden = !plot.some((label) => this.rowsOf(label)[0]?.isHistogram);
        const parameters = {
            interval: this.interval,
            zoom: this.window,
            mean,
            onZoom: (from, to) => this.zoom(from, to),
            onCursor: (at) => this.#moveCursor(at),
        };
        $("lines").hidden = this.lines.length === 0;
        if (this.lines.length > 0) {
            this.lineChart.show(this.lines, parameters);
        } else {
            this.lineChart.close();
        }
        this.heatSeries = all.filter(isHeatMap).slice(0, MAX_HEAT_MAPS);
        this.#closeHeatMaps(this.heatSeries.map(({ key }) => key));
        this.heatSeries.forEach((series) => this.#drawHeatMap(series, parameters));
        const isVisible = ([time]) => this.window === null || (time >= from && time <= to);
        const isEmpty = all.length > 0 && !all.some(({ points }) => points.some(isVisible));
        const count = countLines(lineSeries, { show });
        const limit =
            count > this.lines.length ? `${this.lines.length} of ${count} lines shown.` : "";
        setText($("plot-note"), isEmpty ? "No data in this time range." : limit);
        this.#drawLegend();
        this.#drawDescriptions(plot);
        this.#drawWriters(writers);
        this.#drawDataTable();
    }

    /** Scrolls to the panel if little of it is visible. */
    reveal() {
        const { top, bottom, height } = $("plot").getBoundingClientRect();
        const visible = Math.min(bottom, innerHeight) - Math.max(top, 0);
        if (visible < Math.min(MIN_VISIBLE_PIXELS, height)) {
            $("plot").scrollIntoView({ block: "start" });
        }
    }

    #drawHeatMap(series, parameters) {
        let drawn = this.heatMaps.get(series.key);
        if (!drawn) {
            const label = escapeText(series.label);
            const description = `Heat map of ${label}; the data table holds its percentiles`;
            const host = element("div", {
                className: "chart",
                role: "img",
                "aria-label": description,
            });
            const caption = label + (series.file ? ` · ${escapeText(series.file)}` : "");
            const figure = element("figure", {}, element("figcaption", {}, caption), host);
            $("heatmaps").append(figure);
            drawn = { map: new HeatMap(host), figure };
            this.heatMaps.set(series.key, drawn);
        }
        const { scale = 0, divisor = 1 } = this.rowsOf(series.label)[0]?.stat ?? {};
        drawn.map.show(
            series,
            { interval: this.interval, step: 10 ** scale / divisor },
            parameters,
        );
    }

    #closeHeatMaps(keptKeys) {
        for (const [key, { map, figure }] of this.heatMaps) {
            if (!keptKeys.includes(key)) {
                map.close();
                figure.remove();
                this.heatMaps.delete(key);
            }
        }
    }

    #moveCursor(at) {
        if (at !== this.cursor) {
            this.cursor = at;
            this.#drawLegend();
        }
    }

    // Shows each line's value under the cursor, or else the last one, and its statistics.
    #drawLegend() {
        const [times = [], ...columns] = this.lineChart.data;
        const [from, to] = this.window ?? [-Infinity, Infinity];
        const isInChart = this.lineChart.plot && this.cursor !== null && this.cursor < times.length;
        const at = isInChart ? this.cursor : null;
        setText($("legend-time"), at === null ? "Last" : formatTime(times[at]));
        const body = $("legend").tBodies[0];
        this.lines.forEach((line, index) => {
            const row = body.rows[index] ?? this.#createLegendRow(body, index);
            const isInWindow = (time) => time >= from && time <= to;
            const values = (columns[index] ?? []).filter((_, place) => isInWindow(times[place]));
            const summary = summarize(values);
            // Taken from the points, which also have NaN and infinity; these are not drawn.
            const isShown = at === null ? isInWindow : (time) => time === times[at];
            const value =
                line.points.findLast(([time, value]) => value !== null && isShown(time))?.[1] ??
                null;
            const cells = [
                value,
                summary?.min ?? null,
                summary?.mean ?? null,
                summary?.max ?? null,
            ];
            row.dataset.label = line.label;
            row.classList.toggle("dead", line.isDead);
            row.classList.toggle("dates", line.unit === "unixtime" && !line.isRate);
            setText(row.cells[0].firstChild.lastChild, line.name + (line.isDead ? " (ended)" : ""));
            cells.forEach((number, place) => {
                const cell = row.cells[place + 1];
                setText(cell, number === null ? "" : formatValue(line, number));
                setAttribute(cell, "title", number === null ? "" : describeValue(line, number));
            });
            row.cells[5].firstChild.setAttribute("aria-label", `remove ${escapeText(line.label)}`);
        });
        while (body.rows.length > this.lines.length) {
            const hadFocus = body.lastChild.contains(document.activeElement);
            body.lastChild.remove();
            if (hadFocus) {
                body.lastChild?.querySelector("button").focus();
            }
        }
        $("legend").hidden = this.lines.length === 0;
    }

    #createLegendRow(body, index) {
        const swatch = element("span", { className: "swatch" });
        const remove = element("button", { type: "button", className: "add" }, "×");
        const series = element("span", { className: "series" }, swatch, element("span"));
        const head = element("th", { scope: "row" }, series);
        const numbers = Array.from({ length: 4 }, () => element("td"));
        const row = element("tr", {}, head, ...numbers, element("td", {}, remove));
        const [color, dashes] = [(index % SERIES_COLORS) + 1, Math.floor(index / SERIES_COLORS)];
        swatch.classList.add(`series-${color}`, `dashes-${dashes}`);
        remove.addEventListener("click", () => this.view.togglePlotted(row.dataset.label));
        body.append(row);
        return row;
    }

    // Shows the help of each label, and the values of those without a line.
    #drawDescriptions(plot) {
        const entries = plot.flatMap((label) => {
            const [row, ...others] = this.rowsOf(label);
            if (!row) {
                return [[escapeText(label), "not published"]];
            }
            const isUnique = others.every((other) => other.displayValue === row.displayValue);
            const value = isUnique ? row.displayValue : "differs";
            const parts = [row.isText || row.value === null ? value : "", escapeText(row.help)];
            const text = parts.filter((part) => part !== "").join(" — ");
            return text === "" ? [] : [[row.displayLabel, text]];
        });
        const list = $("descriptions");
        const signature = JSON.stringify(entries);
        if (list.dataset.signature !== signature) {
            list.dataset.signature = signature;
            const item = ([label, text]) =>
                element("div", {}, element("dt", {}, label), element("dd", {}, text));
            list.replaceChildren(...entries.map(item));
        }
        list.hidden = entries.length === 0;
    }

    #drawWriters(isShown) {
        $("writers-table").hidden = !isShown;
        const hidden = isShown ? this.writers.length - MAX_WRITERS : 0;
        setText($("writers-note"), hidden > 0 ? `and ${hidden} more` : "");
        if (!isShown) {
            return;
        }
        const writers = this.writers.slice(0, MAX_WRITERS);
        const rows = writers.map((row) => {
            const { owner } = row.stat;
            const note = owner === undefined ? "" : `; owned by user ${owner}, not by its sys.uid`;
            const liveness = (row.isDead ? "ended" : row.stat.liveness) + note;
            const texts = [
                row.writer,
                row.displayLabel,
                row.displayValue,
                row.displayRate,
                liveness,
            ];
            return { key: seriesKey(row.stat), texts };
        });
        updateRows($("writers-table").tBodies[0], rows).forEach((tr, index) => {
            const { isDead, file, exactValue } = writers[index];
            tr.classList.toggle("dead", isDead);
            setAttribute(tr.cells[0], "title", escapeText(file));
            setAttribute(tr.cells[2], "title", exactValue);
        });
    }

    #drawDataTable() {
        if (!$("data").open) {
            return;
        }
        const lines = [...this.lines, ...buildLines(this.heatSeries, { show: "auto" })];
        const [times = [], ...columns] = alignLines(lines, this.interval);
        const [from, to] = this.window ?? [-Infinity, Infinity];
        const hasNumber = (place) => columns.some((column) => (column[place] ?? null) !== null);
        const isShown = (place) => times[place] >= from && times[place] <= to && hasNumber(place);
        const places = times.flatMap((_, place) => (isShown(place) ? [place] : []));
        const heads = ["Time", ...lines.map((line) => line.name)];
        const table = $("data-table");
        if (table.dataset.heads !== JSON.stringify(heads)) {
            table.dataset.heads = JSON.stringify(heads);
            const head = element(
                "tr",
                {},
                ...heads.map((text) => element("th", { scope: "col" }, text)),
            );
            const caption = element(
                "caption",
                { className: "visually-hidden" },
                "Chart data, latest first",
            );
            table.replaceChildren(caption, element("thead", {}, head), element("tbody"));
        }
        const rows = places
            .slice(-MAX_DATA_ROWS)
            .reverse()
            .map((place) => {
                const values = lines.map((line, index) =>
                    formatValue(line, columns[index][place] ?? null),
                );
                return { key: String(times[place]), texts: [formatTime(times[place]), ...values] };
            });
        updateRows(table.tBodies[0], rows);
    }

    /** Draws again with the colours of another theme. */
    redraw() {
        this.lineChart.signature = "";
        this.heatMaps.forEach(({ map }) => {
            map.signature = "";
        });
        this.draw();
    }
}
