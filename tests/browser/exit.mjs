// What is to be done when this process ends, however it does.

const all = [];
process.on("exit", () => all.forEach((what) => what()));
["SIGINT", "SIGTERM"].forEach((signal) => process.on(signal, () => process.exit(1)));

/** Does this at the end. */
export const atExit = (what) => all.push(what);
