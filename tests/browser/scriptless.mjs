// The page without its scripts: before they run, and where none ever does.

import { HARMLESS, HOSTILE, LATENCY, OK, SENT } from "./files.mjs";
import { Tab, assert, until } from "./browser.mjs";

/** These checks are called with the browser and the server, too. */
export const scriptless = {
    async "the document is fine before any script runs"(browser, server) {
        for (const [name, width, colorScheme] of [["light", 1280, "light"], ["dark", 1280, "dark"], ["phone", 360, "light"]]) {
            const tab = await Tab.open(browser, "about:blank", { width, colorScheme });
            // What axe-core needs to run would hide what is there without it.
            await tab.page.route("**/main.js", (route) => route.fulfill({ contentType: "text/javascript", body: "" }));
            await tab.page.route(server.url + "?*", async (route) => {
                const answer = await route.fetch();
                await route.fulfill({ response: answer, body: (await answer.text()).replaceAll(/<\/?noscript>/g, "") });
            });
            const plotted = [OK, LATENCY, `hostile.${HOSTILE}`, "gone"].map((label) => `&plot=${encodeURIComponent(label)}`);
            await tab.page.goto(`${server.url}?q=http${plotted.join("")}`);
            assert((await tab.page.locator(".details h3").count()) === 4, "four labels have details");
            const wide = await tab.page.evaluate(() => document.documentElement.scrollWidth);
            assert(wide <= width, `it is ${wide} pixels wide`);
            const [label, table] = await Promise.all(["#stats thead .label", "#stats"].map((selector) => tab.page.locator(selector).boundingBox()));
            assert(label.width > table.width * 0.4, `labels have ${label.width} of ${table.width} pixels`);
            await tab.isFine(`document-${name}`);
            await tab.close();
        }
    },

    async "without JavaScript there is a table, a search, and what each writer says"(browser, server) {
        const tab = await Tab.open(browser, server.url, { javaScriptEnabled: false });
        const rows = () => tab.page.locator("#stats tbody th[scope=row]").allTextContents();
        const labels = await rows();
        for (const label of [OK, SENT, `hostile.${HARMLESS}`]) {
            assert(labels.some((text) => text.startsWith(label)), `${label} in ${labels}`);
        }
        assert(labels.some((text) => text.startsWith("ended.jobs (ended)")), "what has ended is said in words");
        assert((await tab.page.locator(".scripted:visible, #plot:visible").count()) === 0, "nothing is shown that does not work");
        await tab.page.fill("#q", "http sent");
        await tab.page.click("#submit");
        assert((await rows()).length === 1, `${await rows()}`);
        assert(/^[\d.]+([KMG]i)?B$/.test(await tab.page.locator("td.value").textContent()), "the value has its unit");
        await tab.picture("without-javascript");
        await tab.page.goto(server.url);
        // Each label leads to what its writers say, whatever is in it.
        const link = (label) => tab.page.locator("#stats tbody th a", { hasText: label }).first();
        assert((await tab.page.locator("#stats tbody th[scope=row] a").count()) === labels.length, "each label is a link");
        const writers = tab.page.locator(".details tbody tr");
        for (const [label, count] of [[`hostile.${HARMLESS}`, 1], [OK, 5], ["ended.jobs", 1]]) {
            await link(label).click();
            assert((await tab.page.locator(".details h3").allTextContents()).join() === label, `${await tab.page.locator(".details h3").allTextContents()}`);
            assert((await writers.count()) === count, `${await writers.count()} writers of ${label}`);
            assert((await tab.page.locator("#stats tr.plotted").count()) === 1, "its row is chosen");
        }
        assert(/ended$/.test(await writers.first().textContent()), await writers.first().textContent());
        await link(OK).click();
        await tab.picture("without-javascript-details");
        // With JavaScript the same link is a plot.
        const scripted = await (await Tab.open(browser, tab.page.url())).live();
        await until("it is plotted", async () => (await scripted.series()).join() === OK);
        assert((await scripted.page.locator(".details").count()) === 0, "and nothing else");
        await scripted.close();
        tab.isQuiet();
        await tab.page.click(".details .bar a");
        assert((await writers.count()) === 0 && (await rows()).length === labels.length, "closed");
        tab.isQuiet();
        await tab.close();
    },
};
