/** Preloaded into a program under test: SIGUSR2 collects garbage, so that its memory can be judged. */
process.on("SIGUSR2", () => {
  for (let i = 0; i < 3; i++) globalThis.gc();
});
