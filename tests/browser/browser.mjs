// Chromium as installed, and a tab of it with what checks need.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

// The modules are in `target`, not beside this file.
const require = createRequire(join(process.env.MODULES, "modules.js"));
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
const OFFLINE_FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/** How long `until` waits. */
const TIMEOUT_MS = 60_000;

export const launch = () =>
    chromium.launch({ executablePath: "/usr/bin/chromium", args: [...FLAGS, ...OFFLINE_FLAGS] });

export const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Throws an error with this text unless the condition holds. */
export function assert(condition, text) {
    if (!condition) {
        throw new Error(text);
    }
}

/** Waits until `poll` returns a truthy value, and returns it. */
export async function until(description, poll) {
    const end = Date.now() + TIMEOUT_MS;
    for (let last; Date.now() < end; await sleep(50)) {
        last = await poll();
        if (last) {
            return last;
        }
    }
    throw new Error(`timed out: ${description}`);
}

/** A tab. `messages` has console messages, dialogs, and violations of the security policy. */
export class Tab {
    static async open(browser, url, { width = 1280, height = 860, ...context } = {}) {
        const tab = new Tab();
        tab.context = await browser.newContext({
            viewport: { width, height },
            reducedMotion: "reduce",
            ...context,
        });
        tab.page = await tab.context.newPage();
        tab.messages = [];
        tab.page.on("console", (message) =>
            tab.messages.push(`${message.type()}: ${message.text()}`),
        );
        tab.page.on("pageerror", (error) => tab.messages.push(`error: ${error.stack}`));
        tab.page.on(
            "dialog",
            (dialog) => tab.messages.push(`dialog: ${dialog.message()}`) && dialog.dismiss(),
        );
        await tab.page.addInitScript(() => {
            addEventListener("securitypolicyviolation", (event) =>
                console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
            );
        });
        await tab.page.goto(url);
        return tab;
    }

    /** Waits until the page shows live values. */
    async live() {
        await until(
            "the page is live",
            async () =>
                (await this.status()) === "live" &&
                (await this.page.locator("#stats tbody button.entry").count()) > 0,
        );
        return this;
    }

    status() {
        return this.page.textContent("#status");
    }

    query(name) {
        return new URL(this.page.url()).searchParams.getAll(name);
    }

    /** Returns the row of a label. */
    row(label) {
        // The tooltip starts with the label; the help follows on the next line.
        const [alone, first] = [label, `${label}\n`].map(
            (text) => `"${text.replace(/["\\]/g, "\\$&").replace("\n", "\\a ")}"`,
        );
        return this.page.locator(
            `#stats tbody tr:has(button.entry[title=${alone}], button.entry[title^=${first}])`,
        );
    }

    value(label) {
        return this.row(label).locator("td.value").getAttribute("title");
    }

    /** Returns the names of the groups in the document. */
    groups() {
        return this.page.locator("#stats tr.group .name").allTextContents();
    }

    /** Returns the names of the series in the legend. */
    series() {
        return this.page.locator("#legend tbody th").allTextContents();
    }

    /** Counts the pixels drawn on the first canvas in an element. */
    countDrawn(selector) {
        return this.page.evaluate((selector) => {
            const canvas = document.querySelector(`${selector} canvas`);
            if (!canvas || canvas.width === 0) {
                return 0;
            }
            // Reads a copy, as browsers warn about reading a canvas that is drawn often.
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {
                willReadFrequently: true,
            });
            copy.drawImage(canvas, 0, 0);
            const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
            let count = 0;
            for (let at = 3; at < data.length; at += 4) {
                count += data[at] > 0;
            }
            return count;
        }, selector);
    }

    /**
     * Returns the width in pixels of the longest gap in the line whose colour is this custom
     * property; null if there is no such line.
     */
    gapWidth(selector, property) {
        return this.page.evaluate(
            ([selector, property]) => {
                const canvas = document.querySelector(`${selector} canvas`);
                if (!canvas || canvas.width === 0) {
                    return null;
                }
                const { width, height } = canvas;
                const copy = new OffscreenCanvas(width, height).getContext("2d", {
                    willReadFrequently: true,
                });
                copy.drawImage(canvas, 0, 0);
                const { data } = copy.getImageData(0, 0, width, height);
                const colour = getComputedStyle(document.documentElement)
                    .getPropertyValue(property)
                    .trim();
                const wanted = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
                const isDrawn = (column) => {
                    for (let at = 4 * column; at < data.length; at += 4 * width) {
                        if (
                            data[at + 3] > 100 &&
                            wanted.every((part, index) => Math.abs(data[at + index] - part) < 24)
                        ) {
                            return true;
                        }
                    }
                    return false;
                };
                const columns = Array.from({ length: width }, (_, column) => column).filter(
                    isDrawn,
                );
                const apart = columns.map(
                    (column, index) => column - (columns[index - 1] ?? column) - 1,
                );
                return columns.length === 0 ? null : Math.max(0, ...apart);
            },
            [selector, property],
        );
    }

    /** Returns the violations that axe-core finds. */
    async violations() {
        await this.page.evaluate(AXE);
        const { violations } = await this.page.evaluate(() =>
            axe.run(document, { resultTypes: ["violations"] }),
        );
        const where = (nodes) =>
            nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`);
        return violations.map(
            ({ id, help, nodes }) => `${id}: ${help}: ${where(nodes).join(" | ")}`,
        );
    }

    /** Returns controls that exceed the window or a clipping element, and clipped numbers. */
    findClipped() {
        return this.page.evaluate(() => {
            const clips = (element) =>
                element === document.documentElement ||
                getComputedStyle(element).overflowX !== "visible";
            const isClipped = (control) => {
                let around = control.parentElement;
                while (!clips(around)) {
                    around = around.parentElement;
                }
                const [inner, outer] = [control, around].map((element) =>
                    element.getBoundingClientRect(),
                );
                return (
                    inner.width > 0 &&
                    (inner.left < outer.left - 1 || inner.right > outer.right + 1)
                );
            };
            const controls = [
                ...document.querySelectorAll("button, select, input, a, summary"),
            ].filter(isClipped);
            // Long texts and long units may be clipped.
            const cells = [
                ...document.querySelectorAll(
                    "#stats tr:not(.wide) :is(td.value, td.rate), #legend td",
                ),
            ];
            const numbers = cells.filter(
                ({ scrollWidth, clientWidth, textContent }) =>
                    scrollWidth > clientWidth && textContent.length <= 20,
            );
            return [...controls, ...numbers].map((element) => element.outerHTML);
        });
    }

    /** Takes a screenshot, then checks for clipped elements, accessibility and console messages. */
    async verify(name) {
        await this.screenshot(name);
        const clipped = await this.findClipped();
        assert(clipped.length === 0, `clipped, ${name}:\n${clipped.slice(0, 3).join("\n")}`);
        const violations = await this.violations();
        assert(violations.length === 0, `axe-core, ${name}:\n${violations.join("\n")}`);
        this.assertNoMessages();
    }

    async screenshot(name) {
        mkdirSync(process.env.SCREENSHOTS, { recursive: true });
        await this.page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
    }

    assertNoMessages() {
        assert(this.messages.length === 0, `console messages:\n${this.messages.join("\n")}`);
    }

    close() {
        return this.context.close();
    }
}
