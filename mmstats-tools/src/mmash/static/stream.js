// Requests to the server: the stream of server-sent events, and JSON.

import { parse } from "./json.js";

/** Returns the URL of a path on the server, which may be mounted below another path than `/`. */
export const serverUrl = (path) => new URL(`../${path}`, import.meta.url);

// Without an event for this many intervals, and at least this many milliseconds, the stream
// reconnects. The connection does not count as lost yet: a scrape may take long, and scripts cannot
// see the comments that the server sends to keep the connection open. A server that still runs
// answers the new connection at once with its latest scrape.
const [TIMEOUT_INTERVALS, MIN_TIMEOUT_MS] = [4, 20_000];
// Without a response for this long, the connection counts as lost.
const CONNECT_TIMEOUT_MS = 10_000;
const [MIN_RETRY_MS, MAX_RETRY_MS] = [1000, 10_000];

/**
 * A connection that is restored when it is lost. Calls `onEvent` with the data of every event, and
 * `onStatus` with `connecting`, `live` or `lost`.
 */
export class Stream {
    #source = null;
    #url = "";
    #retryTimer = 0;
    #timeoutTimer = 0;
    #retryDelay = MIN_RETRY_MS;

    constructor(onEvent, onStatus) {
        this.onEvent = onEvent;
        this.onStatus = onStatus;
        // A page that the browser caches for its back button loses its connections.
        addEventListener("pagehide", () => this.#disconnect());
        addEventListener("pageshow", (event) => event.persisted && this.isOpen && this.#connect());
    }

    get isOpen() {
        return this.#url !== "";
    }

    /** Opens a stream and closes the previous one. */
    open(url) {
        this.close();
        this.#url = url;
        this.#retryDelay = MIN_RETRY_MS;
        this.onStatus("connecting");
        this.#connect();
    }

    close() {
        this.#url = "";
        this.#disconnect();
    }

    #disconnect() {
        this.#source?.close();
        this.#source = null;
        clearTimeout(this.#retryTimer);
        clearTimeout(this.#timeoutTimer);
    }

    #connect() {
        this.#disconnect();
        this.#timeoutTimer = setTimeout(() => this.#retryLater(), CONNECT_TIMEOUT_MS);
        const source = (this.#source = new EventSource(this.#url));
        source.addEventListener("open", () => this.#setTimeout(MIN_TIMEOUT_MS));
        source.addEventListener("stats", ({ data }) => {
            const received = parse(data);
            this.#retryDelay = MIN_RETRY_MS;
            const timeout = TIMEOUT_INTERVALS * 1000 * this.#eventInterval(received);
            this.#setTimeout(Math.max(MIN_TIMEOUT_MS, timeout));
            this.onStatus("live");
            this.onEvent(received);
        });
        source.addEventListener("error", () => this.#retryLater());
    }

    // Reconnects unless an event arrives within this many milliseconds.
    #setTimeout(milliseconds) {
        clearTimeout(this.#timeoutTimer);
        this.#timeoutTimer = setTimeout(() => this.#connect(), milliseconds);
    }

    #eventInterval(received) {
        const requested = Number(new URL(this.#url).searchParams.get("interval")) || 0;
        return Math.max(received.interval ?? 1, requested);
    }

    #retryLater() {
        this.onStatus("lost");
        this.#disconnect();
        this.#retryTimer = setTimeout(() => this.#connect(), this.#retryDelay);
        this.#retryDelay = Math.min(this.#retryDelay * 2, MAX_RETRY_MS);
    }
}

/** Requests JSON. Throws an error with the server's message, or else with the status. */
export async function fetchJson(url) {
    const response = await fetch(url, { headers: { Accept: "application/json" } });
    const text = await response.text();
    const status = `${response.status} ${response.statusText}`.trim();
    let body;
    try {
        body = parse(text);
    } catch {
        throw new Error(response.ok ? `${status}, but the body is not JSON` : status);
    }
    if (!response.ok) {
        throw new Error(body?.error ?? status);
    }
    return body;
}
