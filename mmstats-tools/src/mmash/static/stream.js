// Server-Sent Events: one connection, made again when it is lost.

import { parse } from "./exact.js";

/** Where the server is: the page may be below another path than the root. */
export const server = (path) => new URL(`../${path}`, import.meta.url);

// After so long without a frame, in multiples of the time between two and in milliseconds, the
// connection is made anew. That says nothing yet: looks may take long, and the comments by which
// the server tells that it is there are not seen by scripts. But it answers at once, and sends its
// latest look.
const [PATIENCE, LEAST_PATIENCE] = [4, 20_000];
// Without an answer for so many milliseconds, the connection is lost.
const ANSWER = 10_000;
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
        this.#watch = setTimeout(() => this.#lose(), ANSWER);
        const source = (this.#source = new EventSource(this.#url));
        source.addEventListener("open", () => this.#expect(LEAST_PATIENCE));
        source.addEventListener("stats", (event) => {
            const frame = parse(event.data);
            this.#delay = SOON;
            this.#expect(Math.max(LEAST_PATIENCE, PATIENCE * 1000 * this.#between(frame)));
            this.onStatus("live");
            this.onFrame(frame);
        });
        source.addEventListener("error", () => this.#lose());
    }

    // A frame is to come within so many milliseconds.
    #expect(patience) {
        clearTimeout(this.#watch);
        this.#watch = setTimeout(() => this.#connect(), patience);
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
export async function ask(url) {
    const answer = await fetch(url, { headers: { Accept: "application/json" } });
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
