// Light or dark: as the system has it, or as was chosen here.

import { $ } from "./dom.js";

const KEY = "mmash-theme";
const root = document.documentElement;

function apply(theme) {
    if (theme === "auto") {
        delete root.dataset.theme;
    } else {
        root.dataset.theme = theme;
    }
}

/** The choice that was made before; a browser that keeps nothing has made none. */
function stored() {
    try {
        return localStorage.getItem(KEY) ?? "auto";
    } catch {
        return "auto";
    }
}

/** Follows the control and the system; `changed` is called when colours are others than before. */
export function followTheme(changed) {
    const control = $("theme");
    control.value = stored();
    apply(control.value);
    control.addEventListener("change", () => {
        apply(control.value);
        try {
            localStorage.setItem(KEY, control.value);
        } catch {
            // It is not kept, and holds until the page is closed.
        }
        changed();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}

/** What a custom property of the style sheet is now. */
export function colour(name) {
    return getComputedStyle(root).getPropertyValue(name).trim();
}

/** How many series have colours of their own. */
export const COLOURS = 8;
// Of those that have the colour of another, too.
const DASHES = [undefined, [12, 4], [2, 3]];

/** The colour of a series. */
export function seriesColour(index) {
    return colour(`--series-${(index % COLOURS) + 1}`);
}

/** The dashes of a series, as uPlot takes them. */
export function seriesDash(index) {
    return DASHES[Math.floor(index / COLOURS) % DASHES.length];
}
