// What is shown, and its place in the URL: a view can be shared, and the browser's buttons go
// through views.

import { $ } from "./dom.js";

const GROUPS = ["prefix", "process", "dimension", "none"];
const SORTS = ["label", "value", "rate", "kind", "writers"];
const oneOf = (choices) => (text) => (choices.includes(text) ? text : choices[0]);
const flag = (text) => text === "1";
// More is nothing that a timer or the server takes.
const LONGEST = 3600;
const between = (least) => (text) => (Number(text) >= least && Number(text) <= LONGEST ? Number(text) : 0);
const positive = between(Number.MIN_VALUE);
const time = (text) => (text !== null && Number.isFinite(Number(text)) ? Number(text) : null);

// Of each parameter: how it is read, where null is its absence.
const PARAMETERS = {
    q: (text) => text ?? "",
    group: oneOf(GROUPS),
    sort: oneOf(SORTS),
    desc: flag,
    interval: positive,
    paused: flag,
    show: oneOf(["auto", "values", "rates"]),
    mean: between(1),
    histogram: oneOf(["percentiles", "heat"]),
    writers: flag,
    from: time,
    to: time,
};
const LISTS = ["fold", "plot"];

function read() {
    const query = new URLSearchParams(location.search);
    const state = {};
    for (const [name, parse] of Object.entries(PARAMETERS)) {
        state[name] = parse(query.get(name));
    }
    for (const name of LISTS) {
        state[name] = [...new Set(query.getAll(name))];
    }
    if (state.from === null || state.to === null || state.from >= state.to) {
        state.from = state.to = null;
    }
    return state;
}

function write(state) {
    const query = new URLSearchParams();
    for (const [name, parse] of Object.entries(PARAMETERS)) {
        if (state[name] !== parse(null)) {
            query.set(name, state[name] === true ? "1" : state[name]);
        }
    }
    for (const name of LISTS) {
        state[name].forEach((item) => query.append(name, item));
    }
    const text = query.toString();
    return location.pathname + (text && `?${text}`);
}

/** The view. `listen` is called with the new state and the one before, after every change. */
export class View {
    constructor(listen) {
        this.state = read();
        this.listen = listen;
        addEventListener("popstate", () => this.#become(read()));
    }

    /** Changes some of it; the browser's back button undoes it, unless `replace` is set. */
    set(changes, { replace = false } = {}) {
        const next = { ...this.state, ...changes };
        const url = write(next);
        if (url !== location.pathname + location.search) {
            history[replace ? "replaceState" : "pushState"](null, "", url);
        }
        this.#become(next);
    }

    /** Shows or hides series of a plot; without any it is closed. */
    toggle(label) {
        const { plot } = this.state;
        this.plot(plot.includes(label) ? plot.filter((other) => other !== label) : [...plot, label]);
    }

    /** Plots exactly these. */
    plot(labels) {
        this.set(labels.length > 0 ? { plot: labels } : { plot: [], from: null, to: null, writers: false });
    }

    #become(next) {
        const before = this.state;
        this.state = next;
        this.listen(next, before);
    }
}

/** Keeps a control and a part of the state the same. */
export function bind(view, id, name, { replace = false } = {}) {
    const control = $(id);
    const property = control.type === "checkbox" ? "checked" : "value";
    const parse = PARAMETERS[name];
    control.addEventListener(control.type === "search" ? "input" : "change", () => {
        view.set({ [name]: property === "checked" ? control.checked : parse(control.value) }, { replace });
    });
    return (state) => {
        const value = property === "checked" ? state[name] : String(state[name]);
        if (control[property] !== value) {
            if (control.tagName === "SELECT" && ![...control.options].some((option) => option.value === value)) {
                control.add(new Option(`${value} s`, value));
            }
            control[property] = value;
        }
    };
}
