// The theme: light, dark, or that of the system.

import { $ } from "./dom.js";

const STORAGE_KEY = "mmash-theme";
const root = document.documentElement;

function applyTheme(theme) {
    if (theme === "auto") {
        delete root.dataset.theme;
    } else {
        root.dataset.theme = theme;
    }
}

// A browser without storage has no saved choice.
function loadTheme() {
    try {
        return localStorage.getItem(STORAGE_KEY) ?? "auto";
    } catch {
        return "auto";
    }
}

/** Applies the theme of the control and of the system; `onChange` is called when colours change. */
export function bindTheme(onChange) {
    const control = $("theme");
    control.value = loadTheme();
    applyTheme(control.value);
    control.addEventListener("change", () => {
        applyTheme(control.value);
        try {
            localStorage.setItem(STORAGE_KEY, control.value);
        } catch {
            // Without storage the choice holds until the page is closed.
        }
        onChange();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onChange);
}

/** Returns the current value of a custom property of the style sheets. */
export function cssProperty(name) {
    return getComputedStyle(root).getPropertyValue(name).trim();
}

/** The number of different series colours. */
export const SERIES_COLORS = 8;
// Dash patterns distinguish series of the same colour.
const DASHES = [undefined, [12, 4], [2, 3]];

/** Returns the colour of a series. */
export function seriesColor(index) {
    return cssProperty(`--series-${(index % SERIES_COLORS) + 1}`);
}

/** Returns the dash pattern of a series, in uPlot's form. */
export function seriesDash(index) {
    return DASHES[Math.floor(index / SERIES_COLORS) % DASHES.length];
}
