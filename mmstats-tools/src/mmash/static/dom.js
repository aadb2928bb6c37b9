// Helpers for elements. They never parse HTML.

/** Returns the element with this id. */
export const $ = (id) => document.getElementById(id);

/**
 * Creates an element. Names with a dash, and `role`, are set as attributes, others as properties;
 * children are elements or texts.
 */
export function element(name, properties = {}, ...children) {
    const created = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
        if (key.includes("-") || key === "role") {
            created.setAttribute(key, value);
        } else {
            created[key] = value;
        }
    }
    created.append(...children);
    return created;
}

/** Sets a text, unless the element has it already: then the browser has nothing to lay out. */
export function setText(node, text) {
    if (node.textContent !== text) {
        node.textContent = text;
    }
}

/** Sets an attribute if it differs; null removes it. */
export function setAttribute(node, name, value) {
    if (value === null) {
        node.removeAttribute(name);
    } else if (node.getAttribute(name) !== value) {
        node.setAttribute(name, value);
    }
}

/**
 * Updates the body of a table to rows `{key, texts}`, where the first text is the row's heading,
 * and returns the row elements. Elements are reused by key, so that selected text stays selected.
 */
export function updateRows(body, rows) {
    const before = new Map([...body.rows].map((tr) => [tr.dataset.key, tr]));
    const updated = rows.map(({ key, texts: [head, ...texts] }) => {
        const tr =
            before.get(key) ??
            element(
                "tr",
                { "data-key": key },
                element("th", { scope: "row" }),
                ...texts.map(() => element("td")),
            );
        [head, ...texts].forEach((text, index) => setText(tr.cells[index], text));
        before.delete(key);
        return tr;
    });
    before.forEach((tr) => tr.remove());
    updated.forEach((tr, index) => {
        if (body.rows[index] !== tr) {
            body.insertBefore(tr, body.rows[index] ?? null);
        }
    });
    return updated;
}

/** Returns a function whose calls run the callback once in the next animation frame. */
export function oncePerFrame(callback) {
    let isScheduled = false;
    return () => {
        if (!isScheduled) {
            isScheduled = true;
            requestAnimationFrame(() => {
                isScheduled = false;
                callback();
            });
        }
    };
}
