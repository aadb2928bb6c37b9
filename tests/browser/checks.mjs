// What the page promises, each in a tab of its own.

import { HARMLESS, LATENCY, OK, SENT } from "./files.mjs";
import { Tab, assert, sleep, until } from "./browser.mjs";

/** Checks of the page as it runs; each is called with the browser and the server. */
export const checks = {
    async "values move and the page is fine in light and dark"(browser, server) {
        const backgrounds = [];
        for (const colorScheme of ["light", "dark"]) {
            const tab = await (await Tab.open(browser, server.url, { colorScheme })).live();
            const before = await tab.value(OK);
            await until("a value moves", async () => (await tab.value(OK)) !== before);
            await until("there is a sparkline", () => tab.drawn(`tr[data-key^='row/${SENT}']`));
            await until("files are counted", async () => /\d+ ended/.test(await tab.page.textContent("#writers-count")));
            await tab.isFine(`table-${colorScheme}`);
            backgrounds.push(await tab.page.evaluate(() => getComputedStyle(document.body).backgroundColor));
            await tab.page.selectOption("#theme", colorScheme === "light" ? "dark" : "light");
            backgrounds.push(await tab.page.evaluate(() => getComputedStyle(document.body).backgroundColor));
            await tab.page.reload();
            await tab.live();
            await tab.isFine(`table-${colorScheme}-chosen-otherwise`);
            backgrounds.push(await tab.page.evaluate(() => getComputedStyle(document.body).backgroundColor));
            await tab.close();
        }
        const [light, dark] = backgrounds;
        assert(light !== dark && backgrounds.join() === [light, dark, dark, dark, light, light].join(), `backgrounds: ${backgrounds}`);
    },

    async "a search filters as it is typed, and is in the URL"(browser, server) {
        const tab = await (await Tab.open(browser, server.url)).live();
        await tab.page.locator("#q").pressSequentially("SENT http");
        await until("one row is left", async () => (await tab.page.locator("#stats tbody button.line").count()) === 1);
        assert(await tab.row(SENT).isVisible(), "the row is there");
        assert(tab.query("q")[0] === "SENT http", tab.page.url());
        assert(/^1 of \d+ stats$/.test(await tab.page.textContent("#count")), await tab.page.textContent("#count"));
        await tab.isFine("search");
        await tab.page.fill("#q", "nothing has this");
        await until("it is said that there is none", () => tab.page.locator("#nothing").isVisible());
        await tab.isFine("search-without-result");
        await tab.close();
    },

    async "numbers are for people, with all their digits in the tooltip"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?q=http.&group=none`)).live();
        const cell = tab.row(SENT).locator("td.value");
        await until("bytes are in steps of 1024", async () => /^[\d.]+[KM]iB$/.test(await cell.textContent()));
        assert(/^\d{4,} bytes$/.test(await cell.getAttribute("title")), await cell.getAttribute("title"));
        assert(/^p50 [\d.]+(µs|ms)$/.test(await tab.row(LATENCY).locator("td.value").textContent()), "a histogram's median is short");
        assert(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(await tab.row("http.last_request").locator("td.value").textContent()), "a date");
        // Workers that are busy half of the time are not busy all the time together.
        await tab.page.fill("#q", "worker.busy");
        const busy = tab.row("worker.busy").locator("td.value");
        await until("the mean of all workers is told as that", async () => /^[\d.]+ ratio, mean of \d$/.test((await busy.getAttribute("title")) ?? ""));
        assert((await busy.evaluate((cell) => getComputedStyle(cell, "::after").content)).includes("avg"), "it is marked");
        await tab.close();
    },

    async "rows can be sorted and grouped, and groups folded"(browser, server) {
        // Rows without a group come first, and only what the window shows is in the document.
        const tab = await (await Tab.open(browser, server.url, { height: 2000 })).live();
        await tab.page.click("th.value button");
        assert((await tab.page.getAttribute("th.value", "aria-sort")) === "descending", "values from the top");
        await tab.page.click("th.label button");
        await tab.page.selectOption("#group", "dimension");
        await until("requests are a group", async () => (await tab.groups()).includes("http.requests"));
        await tab.isFine("by-dimension");
        const rows = () => tab.page.locator("#stats tbody th.label").count();
        const before = await rows();
        await tab.page.locator("tr.group", { hasText: "http.requests" }).locator("button").click();
        await until("its rows are gone", async () => (await rows()) < before && (await tab.row(OK).count()) === 0);
        assert(tab.query("fold")[0] === "http.requests", tab.page.url());
        await tab.page.reload();
        await tab.live();
        assert((await tab.row(OK).count()) === 0, "it stays folded");
        await tab.isFine("folded");
        await tab.page.selectOption("#group", "process");
        await until("processes are groups", async () => (await tab.groups()).some((name) => /^process \d+/.test(name)));
        await tab.isFine("by-process");
        await tab.page.goBack();
        await until("back to dimensions", async () => (await tab.groups()).includes("http.requests"));
        tab.isQuiet();
        await tab.close();
    },

    async "a click plots, a shared URL shows the same, and back closes it"(browser, server) {
        const tab = await (await Tab.open(browser, server.url)).live();
        await tab.row(SENT).locator("th").click();
        await until("there is a plot", async () => (await tab.drawn("#lines")) > 500);
        assert((await tab.series()).join() === SENT, `series: ${await tab.series()}`);
        await tab.row("worker.busy").locator("button.add").click();
        await tab.row(OK).locator("th").click({ modifiers: ["Shift"] });
        await until("there are three series", async () => (await tab.series()).length === 3);
        await tab.page.selectOption("#mean", "10");
        await tab.page.selectOption("#show", "values");
        await until("it shows values", async () => (await tab.series()).join() === [SENT, "worker.busy", OK].join());
        await tab.page.click("#data summary");
        await until("the data are a table, too", async () => (await tab.page.locator("#data-table tbody tr").count()) > 2);
        await tab.isFine("plot-light");

        const other = await (await Tab.open(browser, tab.page.url(), { colorScheme: "dark" })).live();
        await until("the same series", async () => (await other.series()).join() === (await tab.series()).join());
        await until("the same plot", async () => (await other.drawn("#lines")) > 500);
        assert((await other.page.inputValue("#mean")) === "10" && (await other.page.inputValue("#show")) === "values", "the same choices");
        await other.isFine("plot-dark");
        await other.close();

        await tab.page.locator("#legend tbody tr").nth(1).locator("button").click();
        await until("one is taken out", async () => (await tab.series()).length === 2);
        for (let steps = 0; steps < 6 && (await tab.page.locator("#plot").isVisible()); steps += 1) {
            await tab.page.goBack();
        }
        await until("back to no plot", async () => !(await tab.page.locator("#plot").isVisible()));
        assert(new URL(tab.page.url()).search === "", tab.page.url());
        await tab.page.goForward();
        await until("forward to the plot", () => tab.page.locator("#plot").isVisible());
        tab.isQuiet();
        await tab.close();
    },

    async "dragging zooms, and back again"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?plot=${SENT}`)).live();
        await tab.page.click("#data summary");
        await until("there are a few points", async () => (await tab.page.locator("#data-table tbody tr").count()) > 3);
        const box = await tab.page.locator("#lines .u-over").boundingBox();
        await tab.page.mouse.move(box.x + box.width * 0.3, box.y + 40);
        await until("the numbers are those under the pointer", async () => /^\d\d:/.test(await tab.page.textContent("#legend-time")));
        await tab.page.mouse.down();
        await tab.page.mouse.move(box.x + box.width * 0.7, box.y + 60, { steps: 5 });
        await tab.page.mouse.up();
        await until("the URL has the zoom", () => tab.query("from").length === 1 && tab.query("to").length === 1);
        const span = () => Number(tab.query("to")[0]) - Number(tab.query("from")[0]);
        const dragged = span();
        await tab.isFine("zoomed");
        await tab.page.click("#zoom-in");
        assert(Math.abs(span() - dragged / 2) < 0.01, `${span()} is half of ${dragged}`);
        await tab.page.goBack();
        assert(Math.abs(span() - dragged) < 0.01, "back to the first zoom");
        await tab.page.click("#zoom-all");
        await until("all is shown", () => tab.query("from").length === 0);
        tab.isQuiet();
        await tab.close();
    },

    async "where nothing was seen there is no line"(browser, server) {
        for (const colorScheme of ["light", "dark"]) {
            const tab = await (await Tab.open(browser, `${server.url}?plot=${SENT}`, { colorScheme })).live();
            await until("there is a line", async () => (await tab.hole("#lines", "--series-1")) === 0);
            // Points of a minute ago that end half a minute later, a single one, and what comes
            // now.
            const cut = async (route) => {
                const answer = await (await route.fetch()).json();
                const now = answer.time;
                answer.series.forEach((series) => {
                    const [, value, rate] = series.points.at(-1);
                    const before = [...Array(30).keys(), 45].map((second) => [now - 90 + second, value, rate * (1 + Math.sin(second) / 4)]);
                    series.points = [...before, ...series.points.filter(([time]) => time > now - 20)];
                });
                await route.fulfill({ json: answer });
            };
            await tab.page.route("**/api/v1/query*", cut);
            await tab.page.reload();
            await tab.live();
            let hole = null;
            const isQuarter = async () => {
                hole = await tab.hole("#lines", "--series-1");
                return hole > 60 && hole < 300;
            };
            await until("a quarter of it is a gap", isQuarter).catch((error) => assert(false, `${error.message}: ${hole} pixels`));
            await until("there is one in the sparkline", async () => (await tab.hole(`tr[data-key^='row/${SENT}']`, "--spark")) > 10);
            await tab.page.selectOption("#mean", "10");
            await until("nor is there a mean", async () => (await tab.hole("#lines", "--series-1")) > 60);
            await tab.page.click("#data summary");
            const numbers = tab.page.locator("#data-table tbody td");
            await until("all times of the table have numbers", async () => (await numbers.allTextContents()).every((text) => text !== ""));
            await tab.isFine(`gap-${colorScheme}`);
            await tab.page.unrouteAll({ behavior: "ignoreErrors" });
            await tab.close();
        }
    },

    async "a histogram has percentiles and a heat map"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?plot=${LATENCY}`)).live();
        const expected = ["p50", "p90", "p99"].map((name) => `${LATENCY} ${name}`).join();
        await until("three lines", async () => (await tab.series()).join() === expected && (await tab.drawn("#lines")) > 500);
        await tab.isFine("percentiles");
        await tab.page.selectOption("#histogram", "heat");
        await until("a heat map", async () => (await tab.drawn("#heats")) > 500);
        assert(tab.query("histogram")[0] === "heat", tab.page.url());
        await tab.page.click("#zoom-in");
        await until("a part of it", () => tab.query("from").length === 1);
        await tab.page.click("#zoom-all");
        await until("all of it", () => tab.query("from").length === 0);
        await tab.page.click("#data summary");
        await until("its percentiles are a table", async () => (await tab.page.locator("#data-table thead th").count()) === 4);
        await tab.isFine("heat-light");
        await tab.page.selectOption("#theme", "dark");
        await tab.isFine("heat-dark");
        await tab.close();
    },

    async "each writer can be seen alone, ended ones greyed"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?plot=${encodeURIComponent(OK)}`)).live();
        await until("one series", async () => (await tab.series()).length === 1);
        await tab.page.check("#writers");
        await until("five series", async () => (await tab.series()).length === 5);
        await until("one has ended", async () => (await tab.series()).filter((name) => name.endsWith("(ended)")).length === 1);
        await until("five writers", async () => (await tab.page.locator("#writers-table tbody tr").count()) === 5);
        assert((await tab.page.locator("#writers-table tr.dead").count()) === 1, "one writer is greyed");
        await tab.isFine("each-writer");
        let [asked, open, most] = [0, 0, 0];
        await tab.page.route((url) => url.pathname.endsWith("/api/v1/stats"), async (route) => {
            [asked, open] = [asked + 1, open + 1];
            most = Math.max(most, open);
            await sleep(2500);
            open -= 1;
            await route.continue();
        });
        await until("they are asked for twice", () => asked === 2);
        assert(most === 1, `${most} questions were open at once`);
        await tab.page.unrouteAll({ behavior: "ignoreErrors" });

        const row = tab.row("ended.jobs");
        const [dead, alive] = await Promise.all([row, tab.row(SENT)].map((row) => row.locator("td.value").evaluate((cell) => getComputedStyle(cell).color)));
        assert(dead !== alive && (await row.textContent()).includes("ended"), "a dead row is greyed, and says so");
        await tab.close();

        const lines = await (await Tab.open(browser, `${server.url}?plot=ended.jobs&show=values`)).live();
        const isDashed = (hole) => hole >= 2 && hole <= 6;
        await until("its line is dashed", async () => isDashed(await lines.hole("#lines", "--series-1")));
        await lines.close();
    },

    async "hostile labels and texts are texts"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?q=hostile&group=none`)).live();
        await until("four rows", async () => (await tab.page.locator("#stats tbody th.label").count()) === 4);
        const names = await tab.page.locator("#stats tbody .name").allTextContents();
        assert(names.includes(`hostile.${HARMLESS}`) && names.includes(`hostile.count{who="${HARMLESS}"}`), `labels: ${names}`);
        assert((await tab.page.locator("td.value").allTextContents()).includes(HARMLESS), "the text is as it is");
        for (const index of [0, 1, 3]) {
            await tab.page.locator("#stats tbody button.add").nth(index).click();
        }
        await until("they are plotted", async () => (await tab.series()).length === 2);
        await tab.page.selectOption("#group", "process");
        await tab.page.check("#writers");
        await until("their writers are shown", async () => (await tab.page.locator("#writers-table tbody tr").count()) === 3);
        await tab.page.click("#data summary");
        await tab.isFine("hostile");
        assert((await tab.page.locator("img, main script").count()) === 0, "no element was made of them");
        assert(!(await tab.page.evaluate(() => /[\u202e\u2028\x07\x1b]/.test(document.body.innerText))), "nothing acts");
        await tab.close();
    },

    async "pausing stops the values, and is in the URL"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?plot=${SENT}`)).live();
        await tab.page.click("#pause");
        await until("it says so", async () => (await tab.status()) === "paused");
        await sleep(500);
        const before = await tab.value(SENT);
        await sleep(3000);
        assert((await tab.value(SENT)) === before, "the value has not moved");
        assert(tab.query("paused")[0] === "1", tab.page.url());
        await tab.isFine("paused");
        const shared = await Tab.open(browser, tab.page.url());
        const hasValue = async () => /^\d/.test((await shared.value(SENT)) ?? "");
        await until("a shared view is paused, and has values", async () => (await shared.status()) === "paused" && hasValue());
        await shared.close();
        // As long as a pause that would be seen.
        await sleep(4000);
        await tab.page.click("#pause");
        await until("it goes on", async () => (await tab.status()) === "live" && (await tab.value(SENT)) !== before);
        // On a busy machine the server itself may look late: then there are holes that nothing can
        // fill.
        const lookedLate = async () => {
            const { series } = await (await tab.page.request.get(`${server.url}api/v1/query?match=${SENT}`)).json();
            return series.some(({ points }) => points.some(([time], place) => place > 0 && time - points[place - 1][0] > 3));
        };
        const isWhole = async (selector, property) => (await tab.hole(selector, property)) === 0 || lookedLate();
        await until("nothing is missing in the sparkline", () => isWhole(`tr[data-key^='row/${SENT}']`, "--spark"));
        await until("nothing is missing in the plot", () => isWhole("#lines", "--series-1"));
        await tab.page.selectOption("#interval", "5");
        await until("the rate is in the URL", () => tab.query("interval")[0] === "5");
        await tab.live();
        const slow = await tab.value(SENT);
        await sleep(2000);
        assert((await tab.value(SENT)) === slow, "values come every 5 seconds");
        tab.isQuiet();
        await tab.close();
    },

    async "everything can be done by keyboard"(browser, server) {
        const tab = await (await Tab.open(browser, server.url)).live();
        const press = (...keys) => keys.reduce((before, key) => before.then(() => tab.page.keyboard.press(key)), Promise.resolve());
        const focused = () => tab.page.evaluate(() => document.activeElement.title || document.activeElement.id || document.activeElement.textContent);
        await press("?");
        await until("there is help", () => tab.page.locator("#help").isVisible());
        await tab.isFine("help");
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
        for (let lines = 0; lines < 10 && !(await tab.page.evaluate(() => document.activeElement.hasAttribute("aria-expanded"))); lines += 1) {
            await press("ArrowDown");
        }
        await press("ArrowLeft");
        await until("the group is folded", () => tab.query("fold").length === 1);
        await press("ArrowRight");
        await until("the group is unfolded", () => tab.query("fold").length === 0);
        await press("End", " ");
        await until("another is added", async () => (await tab.series()).length === 2 || tab.query("plot").length === 2);
        await press("g");
        await until("it is grouped by process", () => tab.query("group")[0] === "process");
        await until("so is the table", async () => (await tab.groups()).some((name) => /^process |\.mmstats$/.test(name)));
        await press("p");
        await until("it is paused", async () => (await tab.status()) === "paused");
        await press("p");
        await tab.live();
        await tab.page.locator("#zoom-in").focus();
        await press("Escape");
        await until("the plot is closed", async () => !(await tab.page.locator("#plot").isVisible()));
        // Tab leads through the controls to one line of the table, and on, wherever the window was
        // scrolled to.
        await press("g", "g");
        await tab.page.setViewportSize({ width: 1280, height: 300 });
        await tab.page.evaluate(() => scrollTo(0, document.body.scrollHeight));
        await until("the first line is scrolled away", () => tab.page.evaluate(() => document.querySelector("#stats tbody .spacer td").offsetHeight > 0));
        await tab.page.locator("#help-open").focus();
        await press("Tab", "Tab", "Tab", "Tab", "Tab", "Tab");
        assert(await tab.page.evaluate(() => document.activeElement.classList.contains("line")), "one line can be reached");
        await press("Tab");
        assert(await tab.page.evaluate(() => document.activeElement.closest("footer") !== null), "and left");
        tab.isQuiet();
        await tab.close();
    },

    async "it fits a phone"(browser, server) {
        const phone = { width: 360, height: 740, hasTouch: true, isMobile: true };
        const views = { phone: "", "phone-plot": `?plot=${LATENCY}&plot=${SENT}&writers=1`, "phone-graphs": "graph/", "phone-process": "?group=process" };
        for (const [name, path] of Object.entries(views)) {
            const colorScheme = name === "phone-plot" ? "dark" : "light";
            const tab = await (await Tab.open(browser, server.url + path, { ...phone, colorScheme })).live();
            await sleep(1500);
            const width = await tab.page.evaluate(() => document.documentElement.scrollWidth);
            assert(width <= 360, `${name} is ${width} pixels wide`);
            await tab.isFine(name);
            await tab.close();
        }
    },

    async "graphs show all numbers at once"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}graph/?q=http`)).live();
        await until("there are graphs", async () => (await tab.drawn(`tr[data-key^='row/${SENT}']`)) > 1000);
        await tab.isFine("graphs");
        await tab.close();
    },

    async "a lost connection shows, and comes back"(browser, server) {
        const tab = await (await Tab.open(browser, `${server.url}?plot=${SENT}`)).live();
        await server.stop();
        await until("it is lost", async () => (await tab.status()).startsWith("connection lost"));
        const faults = await tab.faults();
        assert(faults.length === 0, faults.join("\n"));
        await server.start();
        await tab.live();
        await until("a value moves", async () => /^\d/.test((await tab.value(SENT)) ?? ""));
        const others = tab.said.filter((text) => !/net::ERR_/.test(text));
        assert(others.length === 0, others.join("\n"));
        await tab.close();
    },
};
