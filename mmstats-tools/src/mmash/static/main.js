// The page: events from the server update the rows, which the table and the plot show. The URL
// holds the state of the view.

import { $, element, setText } from "./dom.js";
import { buildEntries } from "./grouping.js";
import { SparklineLoader } from "./history.js";
import { bindKeys } from "./keyboard.js";
import { Panel } from "./panel.js";
import { View, bindControl } from "./state.js";
import { SPARKLINE_SCRAPES, Stats } from "./stats.js";
import { Stream, fetchJson, serverUrl } from "./stream.js";
import { Table } from "./table.js";
import { escapeText } from "./text.js";
import { bindTheme } from "./theme.js";

/** The smallest number of events that a sparkline covers, however rare they are. */
const MIN_SPARKLINE_EVENTS = 10;
/** The time between two requests for the list of files. */
const FILES_INTERVAL_MS = 10_000;

const STATUS_TEXTS = {
    connecting: "connecting",
    live: "live",
    paused: "paused",
    lost: "connection lost, reconnecting",
};

const view = new View(onViewChange);
const stats = new Stats();
const updateControls = [
    bindControl(view, "q", "q", { replace: true }),
    ...["group", "interval", "show", "mean", "histogram", "writers"].map((name) =>
        bindControl(view, name, name),
    ),
];
const panel = new Panel(view, (label) => stats.rowsOf(label));
const stream = new Stream(onEvent, showStatus);
const loader = new SparklineLoader(
    () => table.scheduleDraw(),
    () => sparklineClock().spanSeconds,
);
let table = null;
// Whether the rows are of labels or of files, as of the last event.
let shownBy = rowsBy(view.state);
let status = "connecting";

function rowsBy(state) {
    return state.group === "process" ? "file" : "label";
}

/** Returns the time in seconds between two events. */
function eventInterval() {
    return Math.max(stats.interval, view.state.interval);
}

/** Returns the time axis of the sparklines. */
function sparklineClock() {
    const interval = eventInterval();
    const spanSeconds = Math.max(
        SPARKLINE_SCRAPES * stats.interval,
        MIN_SPARKLINE_EVENTS * interval,
    );
    return { now: stats.time, spanSeconds, interval };
}

function connect() {
    const url = serverUrl(`events?by=${rowsBy(view.state)}`);
    if (view.state.interval > 0) {
        url.searchParams.set("interval", view.state.interval);
    }
    stream.open(url);
}

function onEvent(event) {
    const haveRowsChanged = stats.update(event, eventInterval());
    shownBy = rowsBy(view.state);
    panel.interval = stats.interval;
    table ??= createTable();
    if (haveRowsChanged || !["label", "kind"].includes(view.state.sort)) {
        showTable();
    } else {
        table.update(sparklineClock());
    }
    panel.refresh();
    if (view.state.paused) {
        stream.close();
        showStatus("paused");
    }
}

function createTable() {
    return new Table($("stats"), {
        sort: (column) => {
            const { sort, desc } = view.state;
            // Numbers are first sorted from the largest.
            const isNumeric = column !== "label" && column !== "kind";
            view.set(sort === column ? { desc: !desc } : { sort: column, desc: isNumeric });
        },
        fold: (path) => {
            const others = view.state.fold.filter((other) => other !== path);
            const fold = others.length < view.state.fold.length ? others : [...others, path];
            view.set({ fold }, { replace: true });
        },
        open: (label) => {
            const { plot } = view.state;
            view.plot(plot.length === 1 && plot[0] === label ? [] : [label]);
        },
        toggle: (label) => view.togglePlotted(label),
        onVisible: (rows) => loader.request(rows),
    });
}

function showTable() {
    const rows = [...stats.rows.values()];
    const { entries, count } = buildEntries(rows, view.state);
    const { plot, sort, desc } = view.state;
    table.show(entries, {
        plotted: plot,
        sort,
        desc,
        clock: sparklineClock(),
        by: rowsBy(view.state),
    });
    setText(
        $("count"),
        count === rows.length ? `${count} stats` : `${count} of ${rows.length} stats`,
    );
    $("empty").hidden = count > 0;
    const noMatch = "No match; a word with * must match the whole label";
    setText($("empty"), rows.length === 0 ? "No stats are published yet" : noMatch);
}

function showStatus(next) {
    status = view.state.paused && next !== "lost" && stats.time > 0 ? "paused" : next;
    document.body.dataset.status = status;
    setText($("status"), STATUS_TEXTS[status]);
}

function onViewChange(state, previous) {
    updateControls.forEach((update) => update(state));
    showPauseButton();
    updateLinks();
    const isResumed = previous.paused && !state.paused;
    if (rowsBy(state) !== rowsBy(previous) || state.interval !== previous.interval || isResumed) {
        connect();
    } else if (state.paused && !previous.paused) {
        stream.close();
        showStatus("paused");
    }
    // If other rows are needed, the next event brings them.
    if (table !== null && shownBy === rowsBy(state)) {
        showTable();
    }
    const isKeyboardInPanel = $("plot").querySelector(":focus-visible") !== null;
    panel.draw();
    if (isKeyboardInPanel && !panel.isOpen) {
        table?.focus(previous.plot.at(-1));
    } else if (state.plot.some((label) => !previous.plot.includes(label))) {
        panel.reveal();
    }
    if (state.plot !== previous.plot || state.writers !== previous.writers) {
        panel.refresh();
    }
}

function showPauseButton() {
    setText($("pause"), view.state.paused ? "Resume" : "Pause");
}

/** Makes the links between table and graphs keep the state of the view. */
function updateLinks() {
    document.querySelectorAll("nav a").forEach((link) => {
        link.search = location.search;
    });
}

async function showFiles() {
    if (status === "live" && !document.hidden) {
        try {
            const { files, errors } = await fetchJson(serverUrl("api/v1/files"));
            const ended = files.filter(({ liveness }) => liveness === "dead").length;
            const writers = `${files.length} ${files.length === 1 ? "writer" : "writers"}`;
            setText($("writers-count"), writers + (ended > 0 ? `, ${ended} ended` : ""));
            $("errors").hidden = errors.length === 0;
            setText(
                $("errors-count"),
                `${errors.length} read ${errors.length === 1 ? "error" : "errors"}`,
            );
            const item = ({ file, error }) => element("li", {}, escapeText(`${file}: ${error}`));
            $("errors-list").replaceChildren(...errors.map(item));
        } catch {
            // The stream shows that the server is gone.
        }
    }
    setTimeout(showFiles, FILES_INTERVAL_MS);
}

bindTheme(() => {
    table?.scheduleDraw();
    panel.redraw();
});

const togglePause = () => view.set({ paused: !view.state.paused });
$("pause").addEventListener("click", togglePause);
$("help-open").addEventListener("click", () => $("help").showModal());
$("search").addEventListener("submit", (event) => event.preventDefault());
bindKeys({
    search: () => $("q").focus(),
    pause: togglePause,
    group: () => {
        const options = [...$("group").options].map((option) => option.value);
        view.set({ group: options[(options.indexOf(view.state.group) + 1) % options.length] });
    },
    table: () => table?.focus(),
    help: () => $("help").showModal(),
    zoomIn: () => panel.isOpen && panel.zoomBy(0.5),
    zoomOut: () => panel.isOpen && panel.zoomBy(2),
    escape: (target) => {
        if (target === $("q")) {
            view.set({ q: "" }, { replace: true });
            table?.focus();
        } else if (panel.isOpen) {
            view.plot([]);
        }
    },
});

document.body.classList.add("scripted");
document.querySelectorAll(".needs-script").forEach((node) => {
    node.hidden = false;
});
$("submit").hidden = true;
$("document-count").hidden = true;
updateControls.forEach((update) => update(view.state));
showPauseButton();
updateLinks();
panel.draw();
connect();
setTimeout(showFiles, 2000);
