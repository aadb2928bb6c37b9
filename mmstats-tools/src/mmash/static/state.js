// The state of the view. It is kept in the URL, so that a view can be shared and the browser's
// buttons step through views.

import { $ } from "./dom.js";

const GROUPINGS = ["prefix", "process", "dimension", "none"];
const SORT_COLUMNS = ["label", "value", "rate", "kind", "writers"];
// Neither timers nor the server accept longer intervals.
const MAX_SECONDS = 3600;

const parseChoice = (choices) => (text) => (choices.includes(text) ? text : choices[0]);
const parseFlag = (text) => text === "1";
const parseSeconds = (min) => (text) => {
    const seconds = Number(text);
    return seconds >= min && seconds <= MAX_SECONDS ? seconds : 0;
};
const parseTime = (text) => (text !== null && Number.isFinite(Number(text)) ? Number(text) : null);

// The parser of each parameter; it gets null if the URL lacks the parameter.
const PARAMETERS = {
    q: (text) => text ?? "",
    group: parseChoice(GROUPINGS),
    sort: parseChoice(SORT_COLUMNS),
    desc: parseFlag,
    interval: parseSeconds(Number.MIN_VALUE),
    paused: parseFlag,
    show: parseChoice(["auto", "values", "rates"]),
    mean: parseSeconds(1),
    histogram: parseChoice(["percentiles", "heat"]),
    writers: parseFlag,
    from: parseTime,
    to: parseTime,
};
// Parameters that may be repeated.
const LISTS = ["fold", "plot"];

function readUrl() {
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

function formatUrl(state) {
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

/** The view. `onChange` is called with the new and the previous state after every change. */
export class View {
    constructor(onChange) {
        this.state = readUrl();
        this.onChange = onChange;
        addEventListener("popstate", () => this.#apply(readUrl()));
    }

    /** Changes part of the state; the browser's back button undoes it, unless `replace` is set. */
    set(changes, { replace = false } = {}) {
        const next = { ...this.state, ...changes };
        const url = formatUrl(next);
        if (url !== location.pathname + location.search) {
            history[replace ? "replaceState" : "pushState"](null, "", url);
        }
        this.#apply(next);
    }

    /** Adds a label to the plot, or removes it. */
    togglePlotted(label) {
        const { plot } = this.state;
        this.plot(
            plot.includes(label) ? plot.filter((other) => other !== label) : [...plot, label],
        );
    }

    /** Plots exactly these labels; without labels the plot is closed. */
    plot(labels) {
        this.set(
            labels.length > 0
                ? { plot: labels }
                : { plot: [], from: null, to: null, writers: false },
        );
    }

    #apply(next) {
        const previous = this.state;
        this.state = next;
        this.onChange(next, previous);
    }
}

/**
 * Binds a control to a part of the state. Returns a function that updates the control from the
 * state.
 */
export function bindControl(view, id, name, { replace = false } = {}) {
    const control = $(id);
    const property = control.type === "checkbox" ? "checked" : "value";
    const parse = PARAMETERS[name];
    control.addEventListener(control.type === "search" ? "input" : "change", () => {
        view.set(
            { [name]: property === "checked" ? control.checked : parse(control.value) },
            { replace },
        );
    });
    return (state) => {
        const value = property === "checked" ? state[name] : String(state[name]);
        if (control[property] !== value) {
            if (
                control.tagName === "SELECT" &&
                ![...control.options].some((option) => option.value === value)
            ) {
                control.add(new Option(`${value} s`, value));
            }
            control[property] = value;
        }
    };
}
