// Whoever reads the page sees what there is, keeps the place, and can use it.

import { rmSync } from "node:fs";
import { join } from "node:path";

import { Tab, assert, until } from "./browser.mjs";
import { LATENCY, SENT, directory, publishMany } from "./files.mjs";
import { Server } from "./server.mjs";

const top = (locator) => locator.evaluate((element) => element.getBoundingClientRect().top);

/** Each is called with the browser and the server, but the one that starts a server of its own. */
export const reading = (program) => ({
    async "numbers and labels fit windows of any width"(browser, server) {
        const views = { "": "", "plot-": `plot=${SENT}&plot=${LATENCY}`, "date-": "plot=http.last_request" };
        for (const width of [360, 480, 600, 800, 1280]) {
            for (const [name, query] of Object.entries(views)) {
                const tab = await (await Tab.open(browser, `${server.url}?group=none&q=http&${query}`, { width })).live();
                await until("the plot has numbers", async () => query === "" || (await tab.page.locator("#legend tbody td").count()) > 0);
                const wide = await tab.page.evaluate(() => document.documentElement.scrollWidth);
                assert(wide <= width, `at ${width} pixels it is ${wide} wide`);
                const cut = await tab.page.locator("#stats tbody .name").evaluateAll((names) => {
                    const isCut = (name) => name.scrollHeight > name.clientHeight + 1 || name.scrollWidth > name.clientWidth;
                    return names.filter(isCut).map((name) => name.textContent);
                });
                assert(cut.length === 0, `at ${width} pixels cut off: ${cut}`);
                await tab.isFine(`width-${name}${width}`);
                await tab.close();
            }
        }
    },

    async "what is plotted is scrolled to"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?group=none`, { width: 800, height: 400 })).live();
        const row = tab.row("worker.queue");
        await until("it is scrolled to the row", async () => {
            await tab.page.evaluate(() => scrollTo(0, document.body.scrollHeight));
            return row.isVisible();
        });
        await row.locator("th").click();
        await until("there is a plot", async () => (await tab.drawn("#lines")) > 500);
        const at = await top(tab.page.locator("#plot"));
        assert(at >= -1 && at < 240, `it is ${at} pixels from the top`);
        await tab.close();
    },

    async "all rows are printed, and none of the controls"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?group=none&plot=${SENT}`, { height: 300 })).live();
        const rows = () => tab.page.locator("#stats tbody th.label").count();
        const all = parseInt(await tab.page.textContent("#count"), 10);
        assert((await rows()) < all, "not all are seen");
        await tab.page.evaluate(() => dispatchEvent(new Event("beforeprint")));
        assert((await rows()) === all, `${await rows()} of ${all} rows`);
        await tab.page.emulateMedia({ media: "print" });
        assert(!(await tab.page.locator("#pause").isVisible()) && !(await tab.page.locator("#close").isVisible()), "no controls");
        await tab.page.emulateMedia({ media: "screen" });
        await tab.page.evaluate(() => dispatchEvent(new Event("afterprint")));
        assert((await rows()) < all, "as before");
        await tab.close();
    },

    async "rows stay in their places when others above them go"(browser) {
        const path = directory();
        publishMany(path, 20, 20, false);
        const own = await new Server(program, [path]).start();
        const tab = await (await Tab.open(browser, `${own.url}?group=none`)).live();
        await tab.page.evaluate(() => scrollTo(0, 6000));
        const row = tab.row("many9.stat10");
        await until("it is seen", () => row.isVisible());
        await row.evaluate((tr) => scrollBy(0, tr.getBoundingClientRect().top - 300));
        const before = await top(row);
        rmSync(join(path, "many-1.mmstats"));
        await until("rows have gone", async () => (await tab.page.textContent("#count")) === "399 stats");
        const after = await top(row);
        assert(Math.abs(after - before) < 2, `from ${before} to ${after}`);
        await tab.close();
        await own.stop();
    },

    async "the keyboard stays in the table when others have its place"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?plot=${SENT}&plot=worker.busy`, { height: 1400 })).live();
        const focused = () => tab.page.evaluate(() => document.activeElement.title.split("\n")[0] || document.activeElement.textContent);
        await until("two series", async () => (await tab.series()).length === 2);
        await tab.page.locator("#legend tbody button").nth(1).focus();
        await tab.page.keyboard.press("Enter");
        await until("it is on the other series", async () => (await tab.series()).length === 1 && (await focused()) === "×");
        await tab.page.keyboard.press("Enter");
        await until("it is on the row of the last one", async () => (await focused()) === SENT);
        await tab.page.keyboard.press("g");
        await until("rows are grouped by process", async () => (await tab.groups()).some((name) => name.startsWith("process ")));
        assert((await focused()) === SENT, `the same label: ${await focused()}`);
        await tab.page.keyboard.press("Enter");
        await until("there is a plot", () => tab.page.locator("#legend tbody button").first().isVisible());
        assert((await tab.page.getAttribute("#legend tbody button", "aria-label")) === `remove ${SENT}`, "what is removed");
        await tab.page.locator("#zoom-in").focus();
        await tab.page.keyboard.press("Escape");
        await until("it is back in the table", async () => (await focused()) === SENT);
        tab.isQuiet();
        await tab.close();
    },

    async "rows stay until there are others"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?plot=worker.state`, { height: 2000 })).live();
        const rows = () => tab.page.locator("#stats tbody th.label").count();
        const before = await rows();
        await tab.page.route("**/events*", (route) => route.abort());
        await tab.page.selectOption("#group", "process");
        await until("the connection is lost", async () => (await tab.status()).startsWith("connection lost"));
        assert((await rows()) === before, `${await rows()} of ${before} rows`);
        assert(!(await tab.page.textContent("#about")).includes("not published"), "it is published");
        await tab.page.unrouteAll({ behavior: "ignoreErrors" });
        await until("there are others", async () => (await tab.groups()).some((name) => name.startsWith("process ")));
        await tab.close();
    },

    async "the lowest values of a heat map are seen, however few they are"(browser, server) {
        const tab = await Tab.open(browser, "about:blank");
        await tab.page.route("**/api/v1/query*", async (route) => {
            const answer = await (await route.fetch()).json();
            const buckets = [[0.001, 0.001, 5], [1000, 1000, 5]];
            answer.series.forEach((series) => {
                series.points = series.points.map(([time, value, rate]) => [time, { ...value, buckets }, rate]);
            });
            await route.fulfill({ json: answer });
        });
        await tab.page.goto(`${server.url}?plot=${LATENCY}&histogram=heat&q=no+sparklines`);
        await until("its lowest pixels are dark", () => tab.page.evaluate(() => {
            const [canvas, over] = ["canvas", ".u-over"].map((name) => document.querySelector(`#heats ${name}`));
            if (!over || canvas.width === 0) {
                return false;
            }
            const [inner, outer] = [over, canvas].map((element) => element.getBoundingClientRect());
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
            copy.drawImage(canvas, 0, 0);
            const ratio = canvas.width / outer.width;
            const { data } = copy.getImageData((inner.left - outer.left) * ratio, (inner.bottom - outer.top) * ratio - 2, inner.width * ratio, 2);
            return data.some((red, at) => at % 4 === 0 && data[at + 3] > 200 && red < 60);
        }));
        await tab.page.unrouteAll({ behavior: "ignoreErrors" });
        await tab.close();
    },

    async "table and graphs are of the same"(browser, server) {
        const tab = await (await Tab.open(browser, server.url)).live();
        await tab.page.fill("#q", "http");
        await tab.page.selectOption("#group", "none");
        await tab.page.click("nav a[href*='graph/']");
        await tab.live();
        assert(new URL(tab.page.url()).pathname === "/graph/" && tab.query("q")[0] === "http" && tab.query("group")[0] === "none", tab.page.url());
        await tab.close();
    },

    async "what is selected in the tables of a plot stays so"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?plot=${SENT}&writers=1`, { height: 1400 })).live();
        await tab.page.click("#data summary");
        const rows = tab.page.locator("#data-table tbody tr");
        await until("there are rows", async () => (await rows.count()) > 2 && (await tab.page.locator("#writers-table tbody tr").count()) > 0);
        const time = await rows.nth(1).locator("th").evaluate((cell) => {
            getSelection().selectAllChildren(cell);
            globalThis.writer = document.querySelector("#writers-table tbody tr");
            return cell.textContent;
        });
        const first = await rows.first().textContent();
        await until("there is a newer row", async () => (await rows.first().textContent()) !== first);
        const [selected, isThere] = await tab.page.evaluate(() => [String(getSelection()), globalThis.writer.isConnected]);
        assert(selected === time && isThere, `${selected}, not ${time}`);
        await tab.close();
    },

    async "with colours of the system, series have theirs, and an empty zoom is told"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?plot=${SENT}&from=100&to=200`, { forcedColors: "active" })).live();
        await until("there is a note", async () => (await tab.page.textContent("#plot-note")) === "Nothing is remembered of this time.");
        const colour = await tab.page.locator("#legend .swatch").evaluate((swatch) => getComputedStyle(swatch).backgroundColor);
        assert(colour === "rgb(21, 112, 143)", colour);
        await tab.close();
    },
});
