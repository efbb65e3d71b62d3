import type { Scenario } from "../scenario.ts";

const BETWEEN_MS = 2_500;

export const killEdge: Scenario = {
  name: "kill-edge",
  about: "kill -9 of an edge, again and again; its clients resume on the other",
  system: { redis: "empty", edges: 2, workers: 3, env: {} },
  load: { sessions: 40, delivery: "burst", resume: true },
  promises: { unspliced: true },
  unprotected: {
    about: "clients that do not resume",
    load: { resume: false },
  },
  harm: async (stage) => {
    await stage.ended(1);
    const { edges } = stage.fleet;
    for (let turn = 0; turn === 0 || !stage.enough; turn += 1) {
      const edge = edges[turn % edges.length];
      if (edge === undefined) return;
      stage.struck(`killed ${edge.name}`);
      await edge.kill();
      await edge.start();
      await stage.pause(BETWEEN_MS);
    }
  },
};

/** Mean time between two cuts of anybody's connection. */
const CUT_EVERY_MS = 60;

export const cutClient: Scenario = {
  name: "cut-client",
  about:
    "connections are cut at random, one in three so that the edge does not notice; resumed on another edge",
  system: { redis: "empty", edges: 2, workers: 3, env: {} },
  load: { sessions: 40, delivery: "burst", resume: true },
  promises: { unspliced: true },
  unprotected: {
    about: "clients that do not resume",
    load: { resume: false },
  },
  harm: async (stage) => {
    await stage.ended(1);
    for (let turn = 0; turn === 0 || !stage.enough; turn += 1) {
      const random = () => stage.random.next();
      const sides = stage.random.below(3) === 0 ? "client" : "both";
      if (stage.door.cut(1, random, sides) > 0) stage.struck("cut a connection");
      await stage.pause(CUT_EVERY_MS * 2 * stage.random.next());
    }
  },
};
