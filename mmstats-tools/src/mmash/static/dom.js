// Elements, made without ever parsing HTML.

/** An element by its id. */
export const $ = (id) => document.getElementById(id);

/** A new element. Properties are set, those with a dash are attributes; children are elements or texts. */
export function element(name, properties = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
        if (key.includes("-") || key === "role") {
            made.setAttribute(key, value);
        } else {
            made[key] = value;
        }
    }
    made.append(...children);
    return made;
}

/** Sets a text if it is another one: what does not change costs nothing. */
export function setText(node, text) {
    if (node.textContent !== text) {
        node.textContent = text;
    }
}

/** Sets an attribute if it is another one; null takes it away. */
export function setAttribute(node, name, value) {
    if (value === null) {
        node.removeAttribute(name);
    } else if (node.getAttribute(name) !== value) {
        node.setAttribute(name, value);
    }
}

/** Fills the body of a table with rows `{key, texts}`, of which the first is the head: rows that are there already stay, and what is selected in them. */
export function fillRows(body, rows) {
    const before = new Map([...body.rows].map((tr) => [tr.dataset.key, tr]));
    const made = rows.map(({ key, texts: [head, ...texts] }) => {
        const tr = before.get(key) ?? element("tr", { "data-key": key }, element("th", { scope: "row" }), ...texts.map(() => element("td")));
        [head, ...texts].forEach((text, index) => setText(tr.cells[index], text));
        before.delete(key);
        return tr;
    });
    before.forEach((tr) => tr.remove());
    made.forEach((tr, index) => {
        if (body.rows[index] !== tr) {
            body.insertBefore(tr, body.rows[index] ?? null);
        }
    });
    return made;
}

/** Calls a function at most once for each frame that is drawn. */
export function oncePerFrame(callback) {
    let asked = false;
    return () => {
        if (!asked) {
            asked = true;
            requestAnimationFrame(() => {
                asked = false;
                callback();
            });
        }
    };
}
