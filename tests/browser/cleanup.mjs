// Runs callbacks when this process exits, also by a signal.

const callbacks = [];
process.on("exit", () => callbacks.forEach((callback) => callback()));
["SIGINT", "SIGTERM"].forEach((signal) => process.on(signal, () => process.exit(1)));

/** Registers a callback for the exit. */
export const atExit = (callback) => callbacks.push(callback);
