// The keyboard, wherever the focus is. The table has more keys of its own.

import { $ } from "./dom.js";

const TYPING = new Set(["INPUT", "SELECT", "TEXTAREA"]);

/** `on` has a function for each thing that a key does. */
export function followKeys(on) {
    const keys = { "/": on.search, p: on.pause, g: on.group, j: on.table, "?": on.help, z: on.zoomIn, Z: on.zoomOut };
    addEventListener("keydown", (event) => {
        if (event.altKey || event.ctrlKey || event.metaKey || $("help").open) {
            return;
        }
        const isTyping = TYPING.has(event.target.tagName) && event.target.type !== "checkbox";
        if (event.key === "Escape") {
            on.escape(event.target);
        } else if (event.target === $("q") && event.key === "ArrowDown") {
            on.table();
        } else if (!isTyping && Object.hasOwn(keys, event.key)) {
            keys[event.key]();
        } else {
            return;
        }
        event.preventDefault();
    });
}
