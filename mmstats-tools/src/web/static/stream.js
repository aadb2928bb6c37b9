// Server-Sent Events: one connection, made again when it is lost.

import { parse } from "./exact.js";

/** Where the server is: the page may be below another path than the root. */
export const server = (path) => new URL(`../${path}`, import.meta.url);

// Without any news for so long, in multiples of the time between two looks and in milliseconds, the connection is taken for lost.
const [PATIENCE, LEAST_PATIENCE] = [4, 5000];
const [SOON, LATE] = [1000, 10_000];

/** Calls `onFrame` with everything that is sent, and `onStatus` with `connecting`, `live` or `lost`. */
export class Stream {
    #source = null;
    #url = "";
    #retry = 0;
    #watch = 0;
    #delay = SOON;

    constructor(onFrame, onStatus) {
        this.onFrame = onFrame;
        this.onStatus = onStatus;
        // A page that the browser keeps for its back button comes back without its connections.
        addEventListener("pagehide", () => this.#drop());
        addEventListener("pageshow", (event) => event.persisted && this.isOpen && this.#connect());
    }

    get isOpen() {
        return this.#url !== "";
    }

    /** Opens this stream in place of the one before. */
    open(url) {
        this.close();
        this.#url = url;
        this.#delay = SOON;
        this.onStatus("connecting");
        this.#connect();
    }

    close() {
        this.#url = "";
        this.#drop();
    }

    #drop() {
        this.#source?.close();
        this.#source = null;
        clearTimeout(this.#retry);
        clearTimeout(this.#watch);
    }

    #connect() {
        this.#drop();
        const source = (this.#source = new EventSource(this.#url));
        source.addEventListener("stats", (event) => {
            const frame = parse(event.data);
            this.#delay = SOON;
            clearTimeout(this.#watch);
            this.#watch = setTimeout(() => this.#lose(), Math.max(LEAST_PATIENCE, PATIENCE * 1000 * this.#between(frame)));
            this.onStatus("live");
            this.onFrame(frame);
        });
        source.addEventListener("error", () => this.#lose());
    }

    #between(frame) {
        return Math.max(frame.interval ?? 1, Number(new URL(this.#url).searchParams.get("interval")) || 0);
    }

    #lose() {
        this.onStatus("lost");
        this.#drop();
        this.#retry = setTimeout(() => this.#connect(), this.#delay);
        this.#delay = Math.min(this.#delay * 2, LATE);
    }
}

/** Asks the server for JSON. An error says what the server says, or at least the status. */
export async function ask(url, signal) {
    const answer = await fetch(url, { signal, headers: { Accept: "application/json" } });
    const text = await answer.text();
    const status = `${answer.status} ${answer.statusText}`.trim();
    let body;
    try {
        body = parse(text);
    } catch {
        throw new Error(answer.ok ? `${status}, but no JSON` : status);
    }
    if (!answer.ok) {
        throw new Error(body?.error ?? status);
    }
    return body;
}
