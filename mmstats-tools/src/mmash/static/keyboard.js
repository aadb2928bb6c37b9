// Keys that work wherever the focus is. The table handles more keys of its own.

import { $ } from "./dom.js";

const INPUT_TAGS = new Set(["INPUT", "SELECT", "TEXTAREA"]);

/** Binds keys to `actions`: one function for each action. */
export function bindKeys(actions) {
    const keys = {
        "/": actions.search,
        p: actions.pause,
        g: actions.group,
        j: actions.table,
        "?": actions.help,
        z: actions.zoomIn,
        Z: actions.zoomOut,
    };
    addEventListener("keydown", (event) => {
        if (event.altKey || event.ctrlKey || event.metaKey || $("help").open) {
            return;
        }
        const isTyping = INPUT_TAGS.has(event.target.tagName) && event.target.type !== "checkbox";
        if (event.key === "Escape") {
            actions.escape(event.target);
        } else if (event.target === $("q") && event.key === "ArrowDown") {
            actions.table();
        } else if (!isTyping && Object.hasOwn(keys, event.key)) {
            keys[event.key]();
        } else {
            return;
        }
        event.preventDefault();
    });
}
