// Chromium, as it is installed; and what is seen in it.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

// They are not beside this file: nothing is kept outside `target`.
const require = createRequire(join(process.env.MODULES, "modules.js"));
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
const QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** Milliseconds until what should become so has not. */
const PATIENCE = 60_000;

export const launch = () => chromium.launch({ executablePath: "/usr/bin/chromium", args: [...FLAGS, ...QUIET] });

export const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Fails with a text, unless it is so. */
export function assert(condition, text) {
    if (!condition) {
        throw new Error(text);
    }
}

/** Waits until `look` answers with something that is true, and returns it. */
export async function until(what, look) {
    const end = Date.now() + PATIENCE;
    for (let last; Date.now() < end; await sleep(50)) {
        last = await look();
        if (last) {
            return last;
        }
    }
    throw new Error(`never: ${what}`);
}

/** A tab. Whatever it says on its console, or its policy refuses, is kept in `said`. */
export class Tab {
    static async open(browser, url, { width = 1280, height = 860, ...context } = {}) {
        const tab = new Tab();
        tab.context = await browser.newContext({ viewport: { width, height }, reducedMotion: "reduce", ...context });
        tab.page = await tab.context.newPage();
        tab.said = [];
        tab.page.on("console", (message) => tab.said.push(`${message.type()}: ${message.text()}`));
        tab.page.on("pageerror", (error) => tab.said.push(`error: ${error.stack}`));
        tab.page.on("dialog", (dialog) => tab.said.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
        await tab.page.addInitScript(() => {
            addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
        });
        await tab.page.goto(url);
        return tab;
    }

    /** Waits for values. */
    async live() {
        await until("the page is live", async () => (await this.status()) === "live" && (await this.page.locator("#stats tbody button.line").count()) > 0);
        return this;
    }

    status() {
        return this.page.textContent("#status");
    }

    query(name) {
        return new URL(this.page.url()).searchParams.getAll(name);
    }

    /** The row of a label. */
    row(label) {
        // Its tooltip begins with it; then comes the help.
        const [alone, first] = [label, `${label}\n`].map((text) => `"${text.replace(/["\\]/g, "\\$&").replace("\n", "\\a ")}"`);
        return this.page.locator(`#stats tbody tr:has(button.line[title=${alone}], button.line[title^=${first}])`);
    }

    value(label) {
        return this.row(label).locator("td.value").getAttribute("title");
    }

    /** The names of the groups that are shown. */
    groups() {
        return this.page.locator("#stats tr.group .name").allTextContents();
    }

    /** The series in the plot's table. */
    series() {
        return this.page.locator("#legend tbody th").allTextContents();
    }

    /** How many pixels of the first canvas in an element have been drawn on. */
    drawn(selector) {
        return this.page.evaluate((selector) => {
            const canvas = document.querySelector(`${selector} canvas`);
            if (!canvas || canvas.width === 0) {
                return 0;
            }
            // Of a copy, for a browser warns about reading from one that is drawn on again and
            // again.
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
            copy.drawImage(canvas, 0, 0);
            const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
            let count = 0;
            for (let at = 3; at < data.length; at += 4) {
                count += data[at] > 0;
            }
            return count;
        }, selector);
    }

    /** The longest run of pixels from left to right that a line of this colour, a custom property, leaves out between its ends. */
    hole(selector, property) {
        return this.page.evaluate(([selector, property]) => {
            const canvas = document.querySelector(`${selector} canvas`);
            if (!canvas || canvas.width === 0) {
                return null;
            }
            const { width, height } = canvas;
            const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
            copy.drawImage(canvas, 0, 0);
            const { data } = copy.getImageData(0, 0, width, height);
            const colour = getComputedStyle(document.documentElement).getPropertyValue(property).trim();
            const wanted = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
            const isDrawn = (column) => {
                for (let at = 4 * column; at < data.length; at += 4 * width) {
                    if (data[at + 3] > 100 && wanted.every((part, index) => Math.abs(data[at + index] - part) < 24)) {
                        return true;
                    }
                }
                return false;
            };
            const columns = Array.from({ length: width }, (_, column) => column).filter(isDrawn);
            const apart = columns.map((column, index) => column - (columns[index - 1] ?? column) - 1);
            return columns.length === 0 ? null : Math.max(0, ...apart);
        }, [selector, property]);
    }

    /** What axe-core finds. */
    async faults() {
        await this.page.evaluate(AXE);
        const { violations } = await this.page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
        const where = (nodes) => nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`);
        return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${where(nodes).join(" | ")}`);
    }

    /** What can be used and sticks out to a side, of the window or of what cuts it off; and numbers that are cut off. */
    cutOff() {
        return this.page.evaluate(() => {
            const clips = (element) => element === document.documentElement || getComputedStyle(element).overflowX !== "visible";
            const isCutOff = (control) => {
                let around = control.parentElement;
                while (!clips(around)) {
                    around = around.parentElement;
                }
                const [inner, outer] = [control, around].map((element) => element.getBoundingClientRect());
                return inner.width > 0 && (inner.left < outer.left - 1 || inner.right > outer.right + 1);
            };
            const controls = [...document.querySelectorAll("button, select, input, a, summary")].filter(isCutOff);
            // Long texts are only begun, and so are long units.
            const cells = [...document.querySelectorAll("#stats tr:not(.wide) :is(td.value, td.rate), #legend td")];
            const numbers = cells.filter(({ scrollWidth, clientWidth, textContent }) => scrollWidth > clientWidth && textContent.length <= 20);
            return [...controls, ...numbers].map((element) => element.outerHTML);
        });
    }

    /** Nothing is wrong with what is shown: for everybody, and for the console. A picture of it is kept. */
    async isFine(name) {
        await this.picture(name);
        const cutOff = await this.cutOff();
        assert(cutOff.length === 0, `cut off, ${name}:\n${cutOff.slice(0, 3).join("\n")}`);
        const faults = await this.faults();
        assert(faults.length === 0, `axe-core, ${name}:\n${faults.join("\n")}`);
        this.isQuiet();
    }

    async picture(name) {
        mkdirSync(process.env.SCREENSHOTS, { recursive: true });
        await this.page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
    }

    isQuiet() {
        assert(this.said.length === 0, `the console has:\n${this.said.join("\n")}`);
    }

    close() {
        return this.context.close();
    }
}
