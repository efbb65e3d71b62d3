/**
 * Preloaded into a program under test, so that its memory can be judged: SIGUSR2 collects garbage, SIGPWR does it as V8
 * would before it ran out of memory, which gives back what it keeps for later.
 */
process.on("SIGUSR2", () => {
  for (let i = 0; i < 3; i++) globalThis.gc();
});
process.on("SIGPWR", () => {
  for (let i = 0; i < 3; i++) globalThis.gc({ type: "major", execution: "sync", flavor: "last-resort" });
});
