// Checks that content is visible and keeps its place, and that focus and selection survive updates.

import { rmSync } from "node:fs";
import { join } from "node:path";

import { Tab, assert, until } from "./browser.mjs";
import { LATENCY, SENT, createDirectory, publishMany } from "./fixtures.mjs";
import { Server } from "./server.mjs";

const topOf = (locator) => locator.evaluate((element) => element.getBoundingClientRect().top);

/** The checks; each is called with the browser and the server. One starts its own server. */
export const usabilityChecks = (program) => ({
    async "numbers and labels fit windows of any width"(browser, server) {
        const views = {
            "": "",
            "plot-": `plot=${SENT}&plot=${LATENCY}`,
            "date-": "plot=http.last_request",
        };
        for (const width of [360, 480, 600, 800, 1280]) {
            for (const [name, query] of Object.entries(views)) {
                const tab = await (
                    await Tab.open(browser, `${server.url}?group=none&q=http&${query}`, { width })
                ).live();
                await until(
                    "the plot has numbers",
                    async () =>
                        query === "" || (await tab.page.locator("#legend tbody td").count()) > 0,
                );
                const pageWidth = await tab.page.evaluate(
                    () => document.documentElement.scrollWidth,
                );
                assert(pageWidth <= width, `at ${width} pixels the page is ${pageWidth} wide`);
                const clipped = await tab.page
                    .locator("#stats tbody .name")
                    .evaluateAll((names) => {
                        const isClipped = (name) =>
                            name.scrollHeight > name.clientHeight + 1 ||
                            name.scrollWidth > name.clientWidth;
                        return names.filter(isClipped).map((name) => name.textContent);
                    });
                assert(clipped.length === 0, `at ${width} pixels clipped: ${clipped}`);
                await tab.verify(`width-${name}${width}`);
                await tab.close();
            }
        }
    },

    async "the page scrolls to a new plot"(browser, server) {
        const tab = await (
            await Tab.open(browser, `${server.url}?group=none`, { width: 800, height: 400 })
        ).live();
        const row = tab.row("worker.queue");
        await until("the row is visible", async () => {
            await tab.page.evaluate(() => scrollTo(0, document.body.scrollHeight));
            return row.isVisible();
        });
        await row.locator("th").click();
        await until("there is a plot", async () => (await tab.countDrawn("#lines")) > 500);
        const at = await topOf(tab.page.locator("#plot"));
        assert(at >= -1 && at < 240, `the plot is ${at} pixels from the top`);
        await tab.close();
    },

    async "prints have all rows and no controls"(browser, server) {
        const tab = await (
            await Tab.open(browser, `${server.url}?group=none&plot=${SENT}`, { height: 300 })
        ).live();
        const rows = () => tab.page.locator("#stats tbody th.label").count();
        const all = parseInt(await tab.page.textContent("#count"), 10);
        assert((await rows()) < all, "not all rows are in the document");
        await tab.page.evaluate(() => dispatchEvent(new Event("beforeprint")));
        assert((await rows()) === all, `${await rows()} of ${all} rows`);
        await tab.page.emulateMedia({ media: "print" });
        assert(
            !(await tab.page.locator("#pause").isVisible()) &&
                !(await tab.page.locator("#close").isVisible()),
            "no controls",
        );
        await tab.page.emulateMedia({ media: "screen" });
        await tab.page.evaluate(() => dispatchEvent(new Event("afterprint")));
        assert((await rows()) < all, "rows outside the window are gone again");
        await tab.close();
    },

    async "rows keep their place when rows above vanish"(browser) {
        const path = createDirectory();
        publishMany(path, 20, 20, { sameLabels: false });
        const own = await new Server(program, [path]).start();
        const tab = await (await Tab.open(browser, `${own.url}?group=none`)).live();
        await tab.page.evaluate(() => scrollTo(0, 6000));
        const row = tab.row("many9.stat10");
        await until("the row is visible", () => row.isVisible());
        await row.evaluate((tr) => scrollBy(0, tr.getBoundingClientRect().top - 300));
        const before = await topOf(row);
        rmSync(join(path, "many-1.mmstats"));
        await until(
            "rows have vanished",
            async () => (await tab.page.textContent("#count")) === "399 stats",
        );
        const after = await topOf(row);
        assert(Math.abs(after - before) < 2, `from ${before} to ${after}`);
        await tab.close();
        await own.stop();
    },

    async "the focus stays in the table when elements are replaced"(browser, server) {
        const tab = await (
            await Tab.open(browser, `${server.url}?plot=${SENT}&plot=worker.busy`, { height: 1400 })
        ).live();
        const focused = () =>
            tab.page.evaluate(
                () =>
                    document.activeElement.title.split("\n")[0] ||
                    document.activeElement.textContent,
            );
        await until("two series", async () => (await tab.series()).length === 2);
        await tab.page.locator("#legend tbody button").nth(1).focus();
        await tab.page.keyboard.press("Enter");
        await until(
            "the focus is on the other series",
            async () => (await tab.series()).length === 1 && (await focused()) === "×",
        );
        await tab.page.keyboard.press("Enter");
        await until(
            "the focus is on the row of the last series",
            async () => (await focused()) === SENT,
        );
        await tab.page.keyboard.press("g");
        await until("rows are grouped by process", async () =>
            (await tab.groups()).some((name) => name.startsWith("process ")),
        );
        assert((await focused()) === SENT, `the same label: ${await focused()}`);
        await tab.page.keyboard.press("Enter");
        await until("there is a plot", () =>
            tab.page.locator("#legend tbody button").first().isVisible(),
        );
        assert(
            (await tab.page.getAttribute("#legend tbody button", "aria-label")) ===
                `remove ${SENT}`,
            "the button names the series",
        );
        await tab.page.locator("#zoom-in").focus();
        await tab.page.keyboard.press("Escape");
        await until("the focus is back in the table", async () => (await focused()) === SENT);
        tab.assertNoMessages();
        await tab.close();
    },

    async "rows stay until new ones arrive"(browser, server) {
        const tab = await (
            await Tab.open(browser, `${server.url}?plot=worker.state`, { height: 2000 })
        ).live();
        const rows = () => tab.page.locator("#stats tbody th.label").count();
        const before = await rows();
        await tab.page.route("**/events*", (route) => route.abort());
        await tab.page.selectOption("#group", "process");
        await until("the connection is lost", async () =>
            (await tab.status()).startsWith("connection lost"),
        );
        assert((await rows()) === before, `${await rows()} of ${before} rows`);
        assert(
            !(await tab.page.textContent("#descriptions")).includes("not published"),
            "the label is shown as published",
        );
        await tab.page.unrouteAll({ behavior: "ignoreErrors" });
        await until("new rows have arrived", async () =>
            (await tab.groups()).some((name) => name.startsWith("process ")),
        );
        await tab.close();
    },

    async "the lowest values of a heat map are visible"(browser, server) {
        const tab = await Tab.open(browser, "about:blank");
        await tab.page.route("**/api/v1/query*", async (route) => {
            const answer = await (await route.fetch()).json();
            const buckets = [
                [0.001, 0.001, 5],
                [1000, 1000, 5],
            ];
            answer.series.forEach((series) => {
                series.points = series.points.map(([time, value, rate]) => [
                    time,
                    { ...value, buckets },
                    rate,
                ]);
            });
            await route.fulfill({ json: answer });
        });
        await tab.page.goto(`${server.url}?plot=${LATENCY}&histogram=heat&q=no+sparklines`);
        await until("its lowest pixels are dark", () =>
            tab.page.evaluate(() => {
                const [canvas, over] = ["canvas", ".u-over"].map((name) =>
                    document.querySelector(`#heatmaps ${name}`),
                );
                if (!over || canvas.width === 0) {
                    return false;
                }
                const [inner, outer] = [over, canvas].map((element) =>
                    element.getBoundingClientRect(),
                );
                const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {
                    willReadFrequently: true,
                });
                copy.drawImage(canvas, 0, 0);
                const ratio = canvas.width / outer.width;
                const { data } = copy.getImageData(
                    (inner.left - outer.left) * ratio,
                    (inner.bottom - outer.top) * ratio - 2,
                    inner.width * ratio,
                    2,
                );
                return data.some((red, at) => at % 4 === 0 && data[at + 3] > 200 && red < 60);
            }),
        );
        await tab.page.unrouteAll({ behavior: "ignoreErrors" });
        await tab.close();
    },

    async "links between table and graphs keep the view"(browser, server) {
        const tab = await (await Tab.open(browser, server.url)).live();
        await tab.page.fill("#q", "http");
        await tab.page.selectOption("#group", "none");
        await tab.page.click("nav a[href*='graph/']");
        await tab.live();
        assert(
            new URL(tab.page.url()).pathname === "/graph/" &&
                tab.query("q")[0] === "http" &&
                tab.query("group")[0] === "none",
            tab.page.url(),
        );
        await tab.close();
    },

    async "selected text in the tables of a plot stays selected"(browser, server) {
        const tab = await (
            await Tab.open(browser, `${server.url}?plot=${SENT}&writers=1`, { height: 1400 })
        ).live();
        await tab.page.click("#data summary");
        const rows = tab.page.locator("#data-table tbody tr");
        await until(
            "both tables have rows",
            async () =>
                (await rows.count()) > 2 &&
                (await tab.page.locator("#writers-table tbody tr").count()) > 0,
        );
        const time = await rows
            .nth(1)
            .locator("th")
            .evaluate((cell) => {
                getSelection().selectAllChildren(cell);
                globalThis.writer = document.querySelector("#writers-table tbody tr");
                return cell.textContent;
            });
        const first = await rows.first().textContent();
        await until("a newer row", async () => (await rows.first().textContent()) !== first);
        const [selected, isThere] = await tab.page.evaluate(() => [
            String(getSelection()),
            globalThis.writer.isConnected,
        ]);
        assert(selected === time && isThere, `${selected}, not ${time}`);
        await tab.close();
    },

    async "forced colours keep those of series; an empty zoom shows a note"(browser, server) {
        const tab = await (
            await Tab.open(browser, `${server.url}?plot=${SENT}&from=100&to=200`, {
                forcedColors: "active",
            })
        ).live();
        await until(
            "the note is shown",
            async () =>
                (await tab.page.textContent("#plot-note")) === "No data in this time range.",
        );
        const colour = await tab.page
            .locator("#legend .swatch")
            .evaluate((swatch) => getComputedStyle(swatch).backgroundColor);
        assert(colour === "rgb(21, 112, 143)", colour);
        await tab.close();
    },
});
