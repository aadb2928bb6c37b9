// Checks mmash's page in a browser: `node run.mjs PROGRAM GOLDEN [CHECK…]`.

import { launch } from "./browser.mjs";
import { checks } from "./checks.mjs";
import { createDirectory, publish } from "./fixtures.mjs";
import { datasetChecks } from "./datasets.mjs";
import { usabilityChecks } from "./usability.mjs";
import { noJavaScriptChecks } from "./no_javascript.mjs";
import { Server } from "./server.mjs";

const [program, golden, ...wanted] = process.argv.slice(2);
const path = createDirectory();
publish(path);
const server = await new Server(program, ["--demo", path]).start();
const browser = await launch();
let failed = 0;
for (const [name, check] of Object.entries({
    ...checks,
    ...noJavaScriptChecks,
    ...usabilityChecks(program),
    ...datasetChecks(program, golden),
})) {
    if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) {
        continue;
    }
    const start = Date.now();
    try {
        await check(browser, server);
        console.log(`passed: ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
    } catch (error) {
        failed += 1;
        console.log(`FAILED: ${name}\n${error.stack}`);
    }
}
await browser.close();
await server.stop();
process.exit(failed === 0 ? 0 : 1);
