// The page of mmash in a real browser: `node run.mjs PROGRAM GOLDEN [CHECK…]`.

import { launch } from "./browser.mjs";
import { checks } from "./checks.mjs";
import { directory, publish } from "./files.mjs";
import { others } from "./others.mjs";
import { reading } from "./reading.mjs";
import { scriptless } from "./scriptless.mjs";
import { Server } from "./server.mjs";

const [program, golden, ...wanted] = process.argv.slice(2);
const path = directory();
publish(path);
const server = await new Server(program, ["--demo", path]).start();
const browser = await launch();
let failed = 0;
for (const [name, check] of Object.entries({ ...checks, ...scriptless, ...reading(program), ...others(program, golden) })) {
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
