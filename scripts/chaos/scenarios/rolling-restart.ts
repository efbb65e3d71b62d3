import type { Scenario } from "../scenario.ts";

export const rollingRestart: Scenario = {
  name: "rolling-restart",
  about: "SIGTERM and a new start for every edge and worker in turn, under sessions that listen in real time",
  system: { redis: "empty", edges: 2, workers: 3, env: { simulator: { SIMULATOR_GENERATION_SPEED: "20" } } },
  load: { sessions: 200, delivery: "paced", resume: true },
  promises: { unspliced: true },
  unprotected: {
    about: "clients that do not resume",
    load: { resume: false },
  },
  harm: async (stage) => {
    await stage.ended(1);
    const { edges, workers } = stage.fleet;
    for (const member of [...workers, ...edges]) {
      if (stage.signal.aborted) return;
      stage.struck(`asked ${member.name} to go`);
      await member.stop();
      await member.start();
    }
  },
};
