// Checks of the document without JavaScript, and before the scripts run.

import { ESCAPED, HOSTILE, LATENCY, OK, SENT } from "./fixtures.mjs";
import { Tab, assert, until } from "./browser.mjs";

/** The checks; each is called with the browser and the server. */
export const noJavaScriptChecks = {
    async "the document is accessible before scripts run"(browser, server) {
        for (const [name, width, colorScheme] of [
            ["light", 1280, "light"],
            ["dark", 1280, "dark"],
            ["phone", 360, "light"],
        ]) {
            const tab = await Tab.open(browser, "about:blank", { width, colorScheme });
            // axe-core needs JavaScript, with which browsers hide the content of <noscript>.
            await tab.page.route("**/main.js", (route) =>
                route.fulfill({ contentType: "text/javascript", body: "" }),
            );
            await tab.page.route(server.url + "?*", async (route) => {
                const answer = await route.fetch();
                await route.fulfill({
                    response: answer,
                    body: (await answer.text()).replaceAll(/<\/?noscript>/g, ""),
                });
            });
            const plotted = [OK, LATENCY, `hostile.${HOSTILE}`, "gone"].map(
                (label) => `&plot=${encodeURIComponent(label)}`,
            );
            await tab.page.goto(`${server.url}?q=http${plotted.join("")}`);
            assert(
                (await tab.page.locator(".details h3").count()) === 4,
                "four labels have details",
            );
            const pageWidth = await tab.page.evaluate(() => document.documentElement.scrollWidth);
            assert(pageWidth <= width, `the page is ${pageWidth} pixels wide`);
            const [label, table] = await Promise.all(
                ["#stats thead .label", "#stats"].map((selector) =>
                    tab.page.locator(selector).boundingBox(),
                ),
            );
            assert(
                label.width > table.width * 0.4,
                `labels have ${label.width} of ${table.width} pixels`,
            );
            await tab.verify(`document-${name}`);
            await tab.close();
        }
    },

    async "without JavaScript there are a table, a search, and details of each writer"(
        browser,
        server,
    ) {
        const tab = await Tab.open(browser, server.url, { javaScriptEnabled: false });
        const rows = () => tab.page.locator("#stats tbody th[scope=row]").allTextContents();
        const labels = await rows();
        for (const label of [OK, SENT, `hostile.${ESCAPED}`]) {
            assert(
                labels.some((text) => text.startsWith(label)),
                `${label} in ${labels}`,
            );
        }
        assert(
            labels.some((text) => text.startsWith("ended.jobs (ended)")),
            "ended writers are marked in words",
        );
        assert(
            (await tab.page.locator(".needs-script:visible, #plot:visible").count()) === 0,
            "controls that need scripts are hidden",
        );
        await tab.page.fill("#q", "http sent");
        await tab.page.click("#submit");
        assert((await rows()).length === 1, `${await rows()}`);
        assert(
            /^[\d.]+([KMG]i)?B$/.test(await tab.page.locator("td.value").textContent()),
            "the value has its unit",
        );
        await tab.screenshot("without-javascript");
        await tab.page.goto(server.url);
        // Each label links to details of its writers, also hostile ones.
        const link = (label) => tab.page.locator("#stats tbody th a", { hasText: label }).first();
        assert(
            (await tab.page.locator("#stats tbody th[scope=row] a").count()) === labels.length,
            "each label is a link",
        );
        const writers = tab.page.locator(".details tbody tr");
        for (const [label, count] of [
            [`hostile.${ESCAPED}`, 1],
            [OK, 5],
            ["ended.jobs", 1],
        ]) {
            await link(label).click();
            assert(
                (await tab.page.locator(".details h3").allTextContents()).join() === label,
                `${await tab.page.locator(".details h3").allTextContents()}`,
            );
            assert(
                (await writers.count()) === count,
                `${await writers.count()} writers of ${label}`,
            );
            assert(
                (await tab.page.locator("#stats tr.plotted").count()) === 1,
                "its row is marked",
            );
        }
        assert(
            /ended$/.test(await writers.first().textContent()),
            await writers.first().textContent(),
        );
        await link(OK).click();
        await tab.screenshot("without-javascript-details");
        // With JavaScript the same link opens a plot.
        const scripted = await (await Tab.open(browser, tab.page.url())).live();
        await until("the label is plotted", async () => (await scripted.series()).join() === OK);
        assert((await scripted.page.locator(".details").count()) === 0, "no details are shown");
        await scripted.close();
        tab.assertNoMessages();
        await tab.page.click(".details .bar a");
        assert(
            (await writers.count()) === 0 && (await rows()).length === labels.length,
            "the details are closed",
        );
        tab.assertNoMessages();
        await tab.close();
    },
};
