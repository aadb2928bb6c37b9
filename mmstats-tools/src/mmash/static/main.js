// The page: what the server sends goes through the rows to the table and the plot; what is to be
// shown is in the URL.

import { $, element, setText } from "./dom.js";
import { Filler } from "./history.js";
import { followKeys } from "./keys.js";
import { lines } from "./lines.js";
import { Panel } from "./panel.js";
import { View, bind } from "./state.js";
import { LOOKS, Stats } from "./stats.js";
import { Stream, ask, server } from "./stream.js";
import { Table } from "./table.js";
import { followTheme } from "./theme.js";
import { harmless } from "./text.js";

/** Frames that a sparkline has room for, however seldom they come. */
const LEAST_FRAMES = 10;
/** Milliseconds between two looks at the files. */
const FILES_EVERY = 10_000;

const view = new View(changed);
const stats = new Stats();
const controls = [
    bind(view, "q", "q", { replace: true }),
    ...["group", "interval", "show", "mean", "histogram", "writers"].map((name) => bind(view, name, name)),
];
const panel = new Panel(view, (label) => stats.all(label));
const stream = new Stream(frame, showStatus);
const filler = new Filler(() => table.schedule(), () => clock().reach);
let table = null;
// Whether there is a row for each label, or for each of each file.
let shownBy = by(view.state);
let status = "connecting";

function by(state) {
    return state.group === "process" ? "file" : "label";
}

/** Seconds from one frame of the stream to the next. */
function pace() {
    return Math.max(stats.interval, view.state.interval);
}

/** What sparklines end at, how many seconds they go back, and how many are from one point to the next. */
function clock() {
    return { now: stats.time, reach: Math.max(LOOKS * stats.interval, LEAST_FRAMES * pace()), interval: pace() };
}

function connect() {
    const url = server(`events?by=${by(view.state)}`);
    if (view.state.interval > 0) {
        url.searchParams.set("interval", view.state.interval);
    }
    stream.open(url);
}

function frame(received) {
    const changed = stats.update(received, pace());
    shownBy = by(view.state);
    panel.interval = stats.interval;
    table ??= makeTable();
    if (changed || !["label", "kind"].includes(view.state.sort)) {
        showLines();
    } else {
        table.update(clock());
    }
    panel.refresh();
    if (view.state.paused) {
        stream.close();
        showStatus("paused");
    }
}

function makeTable() {
    const sort = (column) => {
        const { sort, desc } = view.state;
        // Numbers are wanted from the top at first.
        view.set(sort === column ? { desc: !desc } : { sort: column, desc: column !== "label" && column !== "kind" });
    };
    return new Table($("stats"), {
        sort,
        fold: (path) => {
            const { fold } = view.state;
            view.set({ fold: fold.includes(path) ? fold.filter((other) => other !== path) : [...fold, path] }, { replace: true });
        },
        open: (label) => {
            const { plot } = view.state;
            view.plot(plot.length === 1 && plot[0] === label ? [] : [label]);
        },
        toggle: (label) => view.toggle(label),
        seen: (rows) => filler.want(rows),
    });
}

function showLines() {
    const rows = [...stats.rows.values()];
    const { lines: list, shown } = lines(rows, view.state);
    const { plot, sort, desc } = view.state;
    table.show(list, { plotted: plot, sort, desc, clock: clock(), by: by(view.state) });
    setText($("count"), shown === rows.length ? `${rows.length} stats` : `${shown} of ${rows.length} stats`);
    $("nothing").hidden = shown > 0;
    setText($("nothing"), rows.length === 0 ? "No process publishes anything here yet." : "No stat has all these words.");
}

const WORDS = { connecting: "connecting", live: "live", paused: "paused", lost: "connection lost, trying again" };

function showStatus(next) {
    status = view.state.paused && next !== "lost" && stats.time > 0 ? "paused" : next;
    document.body.dataset.status = status;
    setText($("status"), WORDS[status]);
}

function changed(state, before) {
    controls.forEach((control) => control(state));
    showPause();
    showLinks();
    if (by(state) !== by(before) || state.interval !== before.interval || (before.paused && !state.paused)) {
        connect();
    } else if (state.paused && !before.paused) {
        stream.close();
        showStatus("paused");
    }
    // Other rows come with the next frame.
    if (table !== null && shownBy === by(state)) {
        showLines();
    }
    const byKeyboard = $("plot").querySelector(":focus-visible") !== null;
    panel.draw();
    if (byKeyboard && !panel.isOpen) {
        table?.focus(before.plot.at(-1));
    } else if (state.plot.some((label) => !before.plot.includes(label))) {
        panel.reveal();
    }
    if (state.plot !== before.plot || state.writers !== before.writers) {
        panel.refresh();
    }
}

function showPause() {
    setText($("pause"), view.state.paused ? "Resume" : "Pause");
}

/** The other view of the same. */
function showLinks() {
    document.querySelectorAll("nav a").forEach((link) => {
        link.search = location.search;
    });
}

async function showFiles() {
    if (status === "live" && !document.hidden) {
        try {
            const { files, errors } = await ask(server("api/v1/files"));
            const ended = files.filter(({ liveness }) => liveness === "dead").length;
            setText($("writers-count"), `${files.length} ${files.length === 1 ? "writer" : "writers"}${ended > 0 ? `, ${ended} ended` : ""}`);
            $("problems").hidden = errors.length === 0;
            setText($("problems-count"), `${errors.length} could not be read, or not wholly`);
            $("problems-list").replaceChildren(...errors.map(({ file, error }) => element("li", {}, harmless(`${file}: ${error}`))));
        } catch {
            // The stream tells when the server is gone.
        }
    }
    setTimeout(showFiles, FILES_EVERY);
}

followTheme(() => {
    table?.schedule();
    panel.recolour();
});

const togglePause = () => view.set({ paused: !view.state.paused });
$("pause").addEventListener("click", togglePause);
$("help-open").addEventListener("click", () => $("help").showModal());
$("search").addEventListener("submit", (event) => event.preventDefault());
followKeys({
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

document.body.classList.add("live");
document.querySelectorAll(".scripted").forEach((node) => {
    node.hidden = false;
});
$("submit").hidden = true;
$("nojs-count").hidden = true;
controls.forEach((control) => control(view.state));
showPause();
showLinks();
panel.draw();
connect();
setTimeout(showFiles, 2000);
