// Other stats than the demo's: those of released code; and so many that the page has to be quick.

import { rmSync } from "node:fs";
import { join } from "node:path";

import { Tab, assert, sleep, until } from "./browser.mjs";
import { copy, directory, publishMany } from "./files.mjs";
import { Server } from "./server.mjs";

async function serving(program, fill, use) {
    const path = directory();
    fill(path);
    const server = await new Server(program, [path]).start();
    try {
        await use(server);
    } finally {
        await server.stop();
    }
}

/** These checks start servers of their own. */
export const others = (program, golden) => ({
    async "golden files show all they hold"(browser) {
        for (const version of ["v1", "v2"]) {
            await serving(program, (path) => copy(path, join(golden, version)), async (server) => {
                const { stats } = await (await fetch(`${server.url}api/v1/stats?by=label`)).json();
                const tab = await (await Tab.open(browser, `${server.url}?group=none`, { height: 20_000 })).live();
                const labels = await tab.page.locator("#stats tbody .name").allTextContents();
                assert(labels.length === stats.length && stats.length >= 10, `${labels.length} of ${stats.length} labels`);
                const missing = stats.filter(({ label }) => /^[ -~]*$/.test(label) && !labels.includes(label));
                assert(missing.length === 0, `missing: ${JSON.stringify(missing)}`);
                tab.isQuiet();
                await tab.close();
                const small = await (await Tab.open(browser, server.url)).live();
                await small.isFine(`golden-${version}`);
                await small.close();
            });
        }
    },

    async "a writer whose file is gone has ended"(browser) {
        let path;
        const fill = (made) => {
            path = made;
            publishMany(path, 3, 2, true);
        };
        await serving(program, fill, async (server) => {
            const tab = await (await Tab.open(browser, `${server.url}?plot=many.stat1&writers=1`)).live();
            await until("three writers", async () => (await tab.series()).length === 3);
            rmSync(join(path, "many-1.mmstats"));
            const ended = async () => (await tab.series()).filter((name) => name.endsWith("(ended)")).join();
            await until("one has ended", async () => (await ended()) === "many-1.mmstats (ended)");
            await tab.page.reload();
            await tab.live();
            const isTold = async () => (await ended()) === "many-1.mmstats (ended)" && (await tab.series()).length === 3;
            await until("it has ended for those who come later, too", isTold);
            await tab.isFine("each-writer-gone");
            await tab.close();
        });
    },

    async "1000 files of 50 fields load within a second"(browser) {
        await serving(program, (path) => publishMany(path, 1000, 50, true), async (server) => {
            const times = [];
            // Other programs may take the processor away for a while.
            while (!(Math.min(...times) < 1000) && times.length < 20) {
                const tab = await Tab.open(browser, server.url);
                // The browser's own clock, from the request on.
                const live = () => document.getElementById("count").textContent === "51 stats" && performance.now();
                times.push(await until("the page is live", () => tab.page.evaluate(live)));
                tab.isQuiet();
                await tab.close();
            }
            console.log(`  live after ${times.map(Math.round)} ms`);
            assert(Math.min(...times) < 1000, "none of them is below a second");
        });
    },

    async "a table of writers that is cut off tells how many more there are"(browser) {
        await serving(program, (path) => publishMany(path, 507, 1, true), async (server) => {
            const tab = await (await Tab.open(browser, `${server.url}?plot=many.stat0`)).live();
            const note = () => tab.page.textContent("#writers-note");
            await tab.page.check("#writers");
            await until("it is told", async () => (await note()) === "and 7 more");
            assert((await tab.page.locator("#writers-table tbody tr").count()) === 500, "all others are there");
            assert((await tab.page.textContent("#plot-note")) === "24 of 507 lines are drawn.", await tab.page.textContent("#plot-note"));
            await tab.isFine("each-writer-many");
            await tab.page.uncheck("#writers");
            await until("there is no such table any more", async () => (await note()) === "");
            await tab.close();
        });
    },

    async "3000 stats scroll and are updated without holding up the page"(browser) {
        await serving(program, (path) => publishMany(path, 60, 50, false), async (server) => {
            const tab = await (await Tab.open(browser, server.url)).live();
            await tab.page.evaluate(() => {
                globalThis.tasks = [];
                new PerformanceObserver((list) => tasks.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: "longtask" });
            });
            for (let step = 0; step < 20; step += 1) {
                await tab.page.mouse.wheel(0, 4000);
                await sleep(200);
                const count = await tab.page.locator("#stats tbody tr").count();
                assert(count < 120, `${count} rows are in the document`);
            }
            // Until the wheel has come to rest.
            await sleep(1000);
            await tab.page.keyboard.press("j");
            await tab.page.keyboard.press("End");
            await until("the last row has the focus", () => tab.page.evaluate(() => document.activeElement.title.startsWith("many59.")));
            const longest = await tab.page.evaluate(() => Math.max(0, ...tasks));
            console.log(`  the longest task took ${Math.round(longest)} ms`);
            assert(longest < 1000, `a task took ${longest} ms`);
            await tab.isFine("many");
            await tab.close();
        });
    },
});
