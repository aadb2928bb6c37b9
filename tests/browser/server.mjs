// The program under test.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { atExit } from "./cleanup.mjs";

/** A running `mmash`. */
export class Server {
    constructor(program, options) {
        Object.assign(this, { program, options, port: 0, child: null });
    }

    /** Starts the program, on the same port if it ran before. */
    async start() {
        const environment = { ...process.env };
        ["MMSTATS_PATH", "MMSTATS_FILES", "MMSTATS_GLOB"].forEach(
            (name) => delete environment[name],
        );
        this.child = spawn(this.program, ["--port", this.port, ...this.options], {
            env: environment,
            stdio: ["ignore", "pipe", "inherit"],
        });
        const child = this.child;
        atExit(() => child.kill());
        const [line] = await once(createInterface({ input: this.child.stdout }), "line");
        this.url = line.split(" ").find((word) => word.startsWith("http://"));
        this.port = new URL(this.url).port;
        return this;
    }

    async stop() {
        const ended = once(this.child, "exit");
        this.child.kill();
        await ended;
    }
}
