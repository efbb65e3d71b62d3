import { type Logger, silentLogger } from "@tts-labs/core/logger";
import { defaultEdgeConfig, type EdgeConfig } from "@tts-labs/edge/config";
import { startEdge } from "@tts-labs/edge/main";
import { afterEach, describe, expect, inject, test } from "vitest";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";

const opened: EdgeAlone[] = [];
afterEach(() => Promise.all(opened.splice(0).map((it) => it.close())));

/** @returns what it warned of, and the status that a request without credentials gets */
async function start(edge: Partial<EdgeConfig>) {
  const warnings: string[] = [];
  const note = (_facts: unknown, text: string) => void warnings.push(text);
  const silent = () => {};
  const logger: Logger = { debug: silent, info: silent, warn: note, error: note };
  const alone = await startEdgeAlone({ redisUrl: inject("redisUrl"), hasWorker: false, logger, edge });
  opened.push(alone);
  const { port, opsUrl } = alone.edge;
  const status = async (url: string) => (await fetch(url)).status;
  return {
    warnings: warnings.filter((it) => /key|ACCESS/.test(it)),
    clients: await status(`http://127.0.0.1:${port}/api/v1/voices`),
    operators: await status(`${opsUrl.replace("0.0.0.0", "127.0.0.1")}/api/v1/info`),
  };
}

describe("an edge at its start", () => {
  test("is open on a loopback address, and says nothing of it", async () => {
    expect(await start({})).toEqual({ warnings: [], clients: 200, operators: 200 });
  });

  test("does not start where strangers could reach it and there is no key, and says what to do", async () => {
    const redisUrl = inject("redisUrl");
    const config = defaultEdgeConfig({ redisUrl, port: 0, host: "0.0.0.0", keyPrefix: "no-keys" });
    await expect(startEdge(config, silentLogger)).rejects.toThrow(
      /ACCESS=keys and make one with: npm run keys/,
    );
  });

  test("is open to strangers only when told so, and warns", async () => {
    const found = await start({ host: "0.0.0.0", access: "open", opsHost: "0.0.0.0" });
    expect(found).toEqual({ warnings: [expect.stringContaining("everybody")], clients: 200, operators: 200 });
  });

  test("asks for keys when told so, also before there are any, and warns", async () => {
    const found = await start({ host: "0.0.0.0", access: "keys", opsHost: "0.0.0.0" });
    expect(found).toEqual({
      warnings: [expect.stringContaining("no API key")],
      clients: 401,
      operators: 401,
    });
  });

  test("keeps the operators' port open on loopback, whoever may use the other", async () => {
    expect(await start({ access: "keys" })).toMatchObject({ clients: 401, operators: 200 });
  });
});
