// Checks of the page's features, each in its own tab.

import { ESCAPED, LATENCY, OK, SENT } from "./fixtures.mjs";
import { Tab, assert, sleep, until } from "./browser.mjs";

/** The checks; each is called with the browser and the server. */
export const checks = {
    async "values change, in light and dark themes"(browser, server) {
        const backgrounds = [];
        for (const colorScheme of ["light", "dark"]) {
            const tab = await (await Tab.open(browser, server.url, { colorScheme })).live();
            const before = await tab.value(OK);
            await until("a value changes", async () => (await tab.value(OK)) !== before);
            await until("a sparkline is drawn", () =>
                tab.countDrawn(`tr[data-key^='row/${SENT}']`),
            );
            await until("writers are counted", async () =>
                /\d+ ended/.test(await tab.page.textContent("#writers-count")),
            );
            await tab.verify(`table-${colorScheme}`);
            backgrounds.push(
                await tab.page.evaluate(() => getComputedStyle(document.body).backgroundColor),
            );
            await tab.page.selectOption("#theme", colorScheme === "light" ? "dark" : "light");
            backgrounds.push(
                await tab.page.evaluate(() => getComputedStyle(document.body).backgroundColor),
            );
            await tab.page.reload();
            await tab.live();
            await tab.verify(`table-${colorScheme}-chosen-otherwise`);
            backgrounds.push(
                await tab.page.evaluate(() => getComputedStyle(document.body).backgroundColor),
            );
            await tab.close();
        }
        const [light, dark] = backgrounds;
        assert(
            light !== dark && backgrounds.join() === [light, dark, dark, dark, light, light].join(),
            `backgrounds: ${backgrounds}`,
        );
    },

    async "a search filters while typing, and is in the URL"(browser, server) {
        const tab = await (await Tab.open(browser, server.url)).live();
        await tab.page.locator("#q").pressSequentially("SENT http");
        await until(
            "one row is left",
            async () => (await tab.page.locator("#stats tbody button.entry").count()) === 1,
        );
        assert(await tab.row(SENT).isVisible(), "the row is visible");
        assert(tab.query("q")[0] === "SENT http", tab.page.url());
        assert(
            /^1 of \d+ stats$/.test(await tab.page.textContent("#count")),
            await tab.page.textContent("#count"),
        );
        await tab.verify("search");
        await tab.page.fill("#q", "no such label");
        await until("the page shows that nothing matches", () =>
            tab.page.locator("#empty").isVisible(),
        );
        await tab.verify("search-without-result");
        await tab.close();
    },

    async "numbers are rounded, with all digits in the tooltip"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?q=http.&group=none`)).live();
        const cell = tab.row(SENT).locator("td.value");
        await until("bytes have binary prefixes", async () =>
            /^[\d.]+[KM]iB$/.test(await cell.textContent()),
        );
        assert(
            /^\d{4,} bytes$/.test(await cell.getAttribute("title")),
            await cell.getAttribute("title"),
        );
        assert(
            /^p50 [\d.]+(µs|ms)$/.test(await tab.row(LATENCY).locator("td.value").textContent()),
            "a histogram shows its median",
        );
        assert(
            /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(
                await tab.row("http.last_request").locator("td.value").textContent(),
            ),
            "a date",
        );
        // A ratio is averaged over the workers, not summed.
        await tab.page.fill("#q", "worker.busy");
        const busy = tab.row("worker.busy").locator("td.value");
        await until("the tooltip names the mean", async () =>
            /^[\d.]+ ratio, mean of \d$/.test((await busy.getAttribute("title")) ?? ""),
        );
        assert(
            (await busy.evaluate((cell) => getComputedStyle(cell, "::after").content)).includes(
                "avg",
            ),
            "the value is marked as an average",
        );
        await tab.close();
    },

    async "rows can be sorted and grouped, and groups folded"(browser, server) {
        // Rows without a group come first, and only visible rows are in the document.
        const tab = await (await Tab.open(browser, server.url, { height: 2000 })).live();
        await tab.page.click("th.value button");
        assert(
            (await tab.page.getAttribute("th.value", "aria-sort")) === "descending",
            "values are sorted from the largest",
        );
        await tab.page.click("th.label button");
        await tab.page.selectOption("#group", "dimension");
        await until("a group of requests", async () =>
            (await tab.groups()).includes("http.requests"),
        );
        await tab.verify("by-dimension");
        const rows = () => tab.page.locator("#stats tbody th.label").count();
        const before = await rows();
        await tab.page.locator("tr.group", { hasText: "http.requests" }).locator("button").click();
        await until(
            "its rows are hidden",
            async () => (await rows()) < before && (await tab.row(OK).count()) === 0,
        );
        assert(tab.query("fold")[0] === "http.requests", tab.page.url());
        await tab.page.reload();
        await tab.live();
        assert((await tab.row(OK).count()) === 0, "it stays folded");
        await tab.verify("folded");
        await tab.page.selectOption("#group", "process");
        await until("groups of processes", async () =>
            (await tab.groups()).some((name) => /^process \d+/.test(name)),
        );
        await tab.verify("by-process");
        await tab.page.goBack();
        await until("back to dimensions", async () =>
            (await tab.groups()).includes("http.requests"),
        );
        tab.assertNoMessages();
        await tab.close();
    },

    async "a click plots, a shared URL shows the same, and back closes the plot"(browser, server) {
        const tab = await (await Tab.open(browser, server.url)).live();
        await tab.row(SENT).locator("th").click();
        await until("a plot is drawn", async () => (await tab.countDrawn("#lines")) > 500);
        assert((await tab.series()).join() === SENT, `series: ${await tab.series()}`);
        await tab.row("worker.busy").locator("button.add").click();
        await tab
            .row(OK)
            .locator("th")
            .click({ modifiers: ["Shift"] });
        await until("three series", async () => (await tab.series()).length === 3);
        await tab.page.selectOption("#mean", "10");
        await tab.page.selectOption("#show", "values");
        await until(
            "it plots values",
            async () => (await tab.series()).join() === [SENT, "worker.busy", OK].join(),
        );
        await tab.page.click("#data summary");
        await until(
            "the data table has rows",
            async () => (await tab.page.locator("#data-table tbody tr").count()) > 2,
        );
        await tab.verify("plot-light");

        const other = await (
            await Tab.open(browser, tab.page.url(), { colorScheme: "dark" })
        ).live();
        await until(
            "the same series",
            async () => (await other.series()).join() === (await tab.series()).join(),
        );
        await until("the same plot", async () => (await other.countDrawn("#lines")) > 500);
        assert(
            (await other.page.inputValue("#mean")) === "10" &&
                (await other.page.inputValue("#show")) === "values",
            "the same settings",
        );
        await other.verify("plot-dark");
        await other.close();

        await tab.page.locator("#legend tbody tr").nth(1).locator("button").click();
        await until("one is removed", async () => (await tab.series()).length === 2);
        for (
            let steps = 0;
            steps < 6 && (await tab.page.locator("#plot").isVisible());
            steps += 1
        ) {
            await tab.page.goBack();
        }
        await until("back to no plot", async () => !(await tab.page.locator("#plot").isVisible()));
        assert(new URL(tab.page.url()).search === "", tab.page.url());
        await tab.page.goForward();
        await until("forward to the plot", () => tab.page.locator("#plot").isVisible());
        tab.assertNoMessages();
        await tab.close();
    },

    async "a click is for the row that was pressed, even if rows move before the release"(
        browser,
        server,
    ) {
        const tab = await (await Tab.open(browser, server.url)).live();
        await tab.row(SENT).hover();
        await tab.page.mouse.down();
        const { y } = await tab.row(SENT).boundingBox();
        await tab.page.fill("#q", "sent");
        await until(
            "the row has moved",
            async () => Math.abs((await tab.row(SENT).boundingBox()).y - y) > 50,
        );
        await tab.page.mouse.up();
        await until("it is plotted", async () => (await tab.series()).join() === SENT);
        tab.assertNoMessages();
        await tab.close();
    },

    async "dragging zooms, and back undoes it"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?plot=${SENT}`)).live();
        await tab.page.click("#data summary");
        await until(
            "a few points",
            async () => (await tab.page.locator("#data-table tbody tr").count()) > 3,
        );
        const box = await tab.page.locator("#lines .u-over").boundingBox();
        await tab.page.mouse.move(box.x + box.width * 0.3, box.y + 40);
        await until("the legend shows the numbers under the pointer", async () =>
            /^\d\d:/.test(await tab.page.textContent("#legend-time")),
        );
        await tab.page.mouse.down();
        await tab.page.mouse.move(box.x + box.width * 0.7, box.y + 60, { steps: 5 });
        await tab.page.mouse.up();
        await until(
            "the URL has the zoom",
            () => tab.query("from").length === 1 && tab.query("to").length === 1,
        );
        const span = () => Number(tab.query("to")[0]) - Number(tab.query("from")[0]);
        const dragged = span();
        await tab.verify("zoomed");
        await tab.page.click("#zoom-in");
        assert(Math.abs(span() - dragged / 2) < 0.01, `${span()} is half of ${dragged}`);
        await tab.page.goBack();
        assert(Math.abs(span() - dragged) < 0.01, "back to the first zoom");
        await tab.page.click("#zoom-all");
        await until("all is shown", () => tab.query("from").length === 0);
        tab.assertNoMessages();
        await tab.close();
    },

    async "a gap in the data interrupts the line"(browser, server) {
        for (const colorScheme of ["light", "dark"]) {
            const tab = await (
                await Tab.open(browser, `${server.url}?plot=${SENT}`, { colorScheme })
            ).live();
            await until(
                "an uninterrupted line",
                async () => (await tab.gapWidth("#lines", "--series-1")) === 0,
            );
            // Points from a minute ago with an end, an isolated point, and current points.
            const removePoints = async (route) => {
                const answer = await (await route.fetch()).json();
                const now = answer.time;
                answer.series.forEach((series) => {
                    const [, value, rate] = series.points.at(-1);
                    const before = [...Array(30).keys(), 45].map((second) => [
                        now - 90 + second,
                        value,
                        rate * (1 + Math.sin(second) / 4),
                    ]);
                    series.points = [
                        ...before,
                        ...series.points.filter(([time]) => time > now - 20),
                    ];
                });
                await route.fulfill({ json: answer });
            };
            await tab.page.route("**/api/v1/query*", removePoints);
            await tab.page.reload();
            await tab.live();
            let width = null;
            const isQuarter = async () => {
                width = await tab.gapWidth("#lines", "--series-1");
                return width > 60 && width < 300;
            };
            await until("a gap in a quarter of the line", isQuarter).catch((error) =>
                assert(false, `${error.message}: ${width} pixels`),
            );
            await until(
                "a gap in the sparkline",
                async () => (await tab.gapWidth(`tr[data-key^='row/${SENT}']`, "--sparkline")) > 10,
            );
            await tab.page.selectOption("#mean", "10");
            await until(
                "a gap in the mean",
                async () => (await tab.gapWidth("#lines", "--series-1")) > 60,
            );
            await tab.page.click("#data summary");
            const numbers = tab.page.locator("#data-table tbody td");
            await until("all rows of the data table have numbers", async () =>
                (await numbers.allTextContents()).every((text) => text !== ""),
            );
            await tab.verify(`gap-${colorScheme}`);
            await tab.page.unrouteAll({ behavior: "ignoreErrors" });
            await tab.close();
        }
    },

    async "a histogram has percentiles and a heat map"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?plot=${LATENCY}`)).live();
        const expected = ["p50", "p90", "p99"].map((name) => `${LATENCY} ${name}`).join();
        await until(
            "three lines",
            async () =>
                (await tab.series()).join() === expected && (await tab.countDrawn("#lines")) > 500,
        );
        await tab.verify("percentiles");
        await tab.page.selectOption("#histogram", "heat");
        await until("a heat map", async () => (await tab.countDrawn("#heatmaps")) > 500);
        assert(tab.query("histogram")[0] === "heat", tab.page.url());
        await tab.page.click("#zoom-in");
        await until("the zoom is in the URL", () => tab.query("from").length === 1);
        await tab.page.click("#zoom-all");
        await until("the zoom is gone", () => tab.query("from").length === 0);
        await tab.page.click("#data summary");
        await until(
            "the data table has its percentiles",
            async () => (await tab.page.locator("#data-table thead th").count()) === 4,
        );
        await tab.verify("heat-light");
        await tab.page.selectOption("#theme", "dark");
        await tab.verify("heat-dark");
        await tab.close();
    },

    async "writers are plotted one by one; ended ones are grey"(browser, server) {
        const tab = await (
            await Tab.open(browser, `${server.url}?plot=${encodeURIComponent(OK)}`)
        ).live();
        await until("one series", async () => (await tab.series()).length === 1);
        await tab.page.check("#writers");
        await until("five series", async () => (await tab.series()).length === 5);
        await until(
            "one has ended",
            async () =>
                (await tab.series()).filter((name) => name.endsWith("(ended)")).length === 1,
        );
        await until(
            "five writers",
            async () => (await tab.page.locator("#writers-table tbody tr").count()) === 5,
        );
        assert(
            (await tab.page.locator("#writers-table tr.dead").count()) === 1,
            "one writer is grey",
        );
        await tab.verify("each-writer");
        let [requests, open, maxOpen] = [0, 0, 0];
        await tab.page.route(
            (url) => url.pathname.endsWith("/api/v1/stats"),
            async (route) => {
                [requests, open] = [requests + 1, open + 1];
                maxOpen = Math.max(maxOpen, open);
                await sleep(2500);
                open -= 1;
                await route.continue();
            },
        );
        await until("two requests", () => requests === 2);
        assert(maxOpen === 1, `${maxOpen} requests at once`);
        await tab.page.unrouteAll({ behavior: "ignoreErrors" });

        const row = tab.row("ended.jobs");
        const [dead, alive] = await Promise.all(
            [row, tab.row(SENT)].map((row) =>
                row.locator("td.value").evaluate((cell) => getComputedStyle(cell).color),
            ),
        );
        assert(
            dead !== alive && (await row.textContent()).includes("ended"),
            "a dead row is grey and marked",
        );
        await tab.close();

        const lines = await (
            await Tab.open(browser, `${server.url}?plot=ended.jobs&show=values`)
        ).live();
        const isDashed = (width) => width >= 2 && width <= 6;
        await until("its line is dashed", async () =>
            isDashed(await lines.gapWidth("#lines", "--series-1")),
        );
        await lines.close();
    },

    async "hostile labels and texts are escaped"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?q=hostile&group=none`)).live();
        await until(
            "four rows",
            async () => (await tab.page.locator("#stats tbody th.label").count()) === 4,
        );
        const names = await tab.page.locator("#stats tbody .name").allTextContents();
        assert(
            names.includes(`hostile.${ESCAPED}`) &&
                names.includes(`hostile.count{who="${ESCAPED}"}`),
            `labels: ${names}`,
        );
        assert(
            (await tab.page.locator("td.value").allTextContents()).includes(ESCAPED),
            "the text is escaped",
        );
        for (const index of [0, 1, 3]) {
            await tab.page.locator("#stats tbody button.add").nth(index).click();
        }
        await until("two are plotted", async () => (await tab.series()).length === 2);
        await tab.page.selectOption("#group", "process");
        await tab.page.check("#writers");
        await until(
            "three writers",
            async () => (await tab.page.locator("#writers-table tbody tr").count()) === 3,
        );
        await tab.page.click("#data summary");
        await tab.verify("hostile");
        assert(
            (await tab.page.locator("img, main script").count()) === 0,
            "no element was created",
        );
        assert(
            !(await tab.page.evaluate(() =>
                /[\u202e\u2028\x07\x1b]/.test(document.body.innerText),
            )),
            "no control characters",
        );
        await tab.close();
    },

    async "a pause stops updates, and is in the URL"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?plot=${SENT}`)).live();
        await tab.page.click("#pause");
        await until("the status is paused", async () => (await tab.status()) === "paused");
        await sleep(500);
        const before = await tab.value(SENT);
        await sleep(3000);
        assert((await tab.value(SENT)) === before, "the value is unchanged");
        assert(tab.query("paused")[0] === "1", tab.page.url());
        await tab.verify("paused");
        const shared = await Tab.open(browser, tab.page.url());
        const hasValue = async () => /^\d/.test((await shared.value(SENT)) ?? "");
        await until(
            "a shared view is paused, with values",
            async () => (await shared.status()) === "paused" && hasValue(),
        );
        await shared.close();
        // Long enough for a visible gap.
        await sleep(4000);
        await tab.page.click("#pause");
        await until(
            "updates continue",
            async () => (await tab.status()) === "live" && (await tab.value(SENT)) !== before,
        );
        // On a busy machine, scrapes of the server itself may be late; those gaps stay.
        const hasLateScrape = async () => {
            const { series } = await (
                await tab.page.request.get(`${server.url}api/v1/query?match=${SENT}`)
            ).json();
            return series.some(({ points }) =>
                points.some(([time], place) => place > 0 && time - points[place - 1][0] > 3),
            );
        };
        const isComplete = async (selector, property) =>
            (await tab.gapWidth(selector, property)) === 0 || hasLateScrape();
        await until("the sparkline has no gap", () =>
            isComplete(`tr[data-key^='row/${SENT}']`, "--sparkline"),
        );
        await until("the plot has no gap", () => isComplete("#lines", "--series-1"));
        await tab.page.selectOption("#interval", "5");
        await until("the interval is in the URL", () => tab.query("interval")[0] === "5");
        await tab.live();
        const slow = await tab.value(SENT);
        await sleep(2000);
        assert((await tab.value(SENT)) === slow, "updates come every 5 seconds");
        tab.assertNoMessages();
        await tab.close();
    },

    async "the keyboard reaches everything"(browser, server) {
        const tab = await (await Tab.open(browser, server.url)).live();
        const press = (...keys) =>
            keys.reduce(
                (before, key) => before.then(() => tab.page.keyboard.press(key)),
                Promise.resolve(),
            );
        const focused = () =>
            tab.page.evaluate(
                () =>
                    document.activeElement.title ||
                    document.activeElement.id ||
                    document.activeElement.textContent,
            );
        await press("?");
        await until("the help is open", () => tab.page.locator("#help").isVisible());
        await tab.verify("help");
        await press("Escape", "/");
        await tab.page.keyboard.type("http.s");
        await press("ArrowDown");
        await until("the row has the focus", async () => (await focused()).startsWith(SENT));
        await press("Enter");
        await until("it is plotted", async () => (await tab.series()).length === 1);
        await press("/", "Escape");
        await until("the search is empty", async () => (await tab.page.inputValue("#q")) === "");
        await press("Home");
        const first = await focused();
        await press("ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp");
        assert((await focused()) === first, "down and up again");
        for (
            let count = 0;
            count < 10 &&
            !(await tab.page.evaluate(() => document.activeElement.hasAttribute("aria-expanded")));
            count += 1
        ) {
            await press("ArrowDown");
        }
        await press("ArrowLeft");
        await until("the group is folded", () => tab.query("fold").length === 1);
        await press("ArrowRight");
        await until("the group is unfolded", () => tab.query("fold").length === 0);
        await press("End", " ");
        await until(
            "another is plotted",
            async () => (await tab.series()).length === 2 || tab.query("plot").length === 2,
        );
        await press("g");
        await until("the grouping is by process", () => tab.query("group")[0] === "process");
        await until("the table is grouped by process", async () =>
            (await tab.groups()).some((name) => /^process |\.mmstats$/.test(name)),
        );
        await press("p");
        await until("it is paused", async () => (await tab.status()) === "paused");
        await press("p");
        await tab.live();
        await tab.page.locator("#zoom-in").focus();
        await press("Escape");
        await until(
            "the plot is closed",
            async () => !(await tab.page.locator("#plot").isVisible()),
        );
        // Tab moves from the controls to one entry of the table and then to the footer, wherever
        // the window is scrolled to.
        await press("g", "g");
        await tab.page.setViewportSize({ width: 1280, height: 300 });
        await until("the first entry is scrolled away", () =>
            tab.page.evaluate(() => {
                // Each time, as the rows of the new grouping come from the server.
                scrollTo(0, document.body.scrollHeight);
                return document.querySelector("#stats tbody .spacer td").offsetHeight > 0;
            }),
        );
        await tab.page.locator("#help-open").focus();
        await press("Tab", "Tab", "Tab", "Tab", "Tab", "Tab");
        assert(
            await tab.page.evaluate(() => document.activeElement.classList.contains("entry")),
            "Tab reaches one entry",
        );
        await press("Tab");
        assert(
            await tab.page.evaluate(() => document.activeElement.closest("footer") !== null),
            "then the footer",
        );
        tab.assertNoMessages();
        await tab.close();
    },

    async "the page fits a phone"(browser, server) {
        const phone = { width: 360, height: 740, hasTouch: true, isMobile: true };
        const views = {
            phone: "",
            "phone-plot": `?plot=${LATENCY}&plot=${SENT}&writers=1`,
            "phone-graphs": "graph/",
            "phone-process": "?group=process",
        };
        for (const [name, path] of Object.entries(views)) {
            const colorScheme = name === "phone-plot" ? "dark" : "light";
            const tab = await (
                await Tab.open(browser, server.url + path, { ...phone, colorScheme })
            ).live();
            await sleep(1500);
            const width = await tab.page.evaluate(() => document.documentElement.scrollWidth);
            assert(width <= 360, `${name} is ${width} pixels wide`);
            await tab.verify(name);
            await tab.close();
        }
    },

    async "graphs are drawn in the table"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}graph/?q=http`)).live();
        await until(
            "a graph is drawn",
            async () => (await tab.countDrawn(`tr[data-key^='row/${SENT}']`)) > 1000,
        );
        await tab.verify("graphs");
        await tab.close();
    },

    async "a lost connection is shown and restored"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?plot=${SENT}`)).live();
        await server.stop();
        await until("the connection is lost", async () =>
            (await tab.status()).startsWith("connection lost"),
        );
        const violations = await tab.violations();
        assert(violations.length === 0, violations.join("\n"));
        await server.start();
        await tab.live();
        await until("a value changes", async () => /^\d/.test((await tab.value(SENT)) ?? ""));
        const unexpected = tab.messages.filter((text) => !/net::ERR_/.test(text));
        assert(unexpected.length === 0, unexpected.join("\n"));
        await tab.close();
    },
};
