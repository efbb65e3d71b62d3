import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, inject, it, onTestFinished } from "vitest";
import { freePort } from "../../../scripts/private-redis.ts";
import { Part } from "../../../scripts/supervisor/part.ts";
import { ImageSteps } from "../../../testkit/ground/image-steps.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const GPL_VOICE = "node_modules/@echogarden/espeak-ng-emscripten";

it("what the Dockerfile puts into the three images speaks, and the GPL voice is in the simulator's alone", async () => {
  const scratch = mkdtempSync(join(tmpdir(), "images-"));
  onTestFinished(() => rmSync(scratch, { recursive: true }));
  const steps = new ImageSteps(root, scratch);
  const [PORT, OPS_PORT, WORKER_PORT, SIMULATOR_PORT] = await Promise.all(
    Array.from({ length: 4 }, async () => String(await freePort())),
  );
  const lines: string[] = [];
  const start = async (name: string, env: NodeJS.ProcessEnv) => {
    const app = steps.build(name);
    expect(existsSync(join(app, GPL_VOICE)), name).toBe(name === "simulator");
    expect(existsSync(join(app, "node_modules/vitest")), name).toBe(false);
    const part = new Part({
      name,
      file: join(app, `apps/${name}/src/main.ts`),
      env: { PATH: process.env["PATH"], LOG_LEVEL: "warn", REDIS_URL: inject("redisUrl"), ...env },
      onLine: (line) => lines.push(line),
    });
    onTestFinished(() => part.stop(5_000));
    await part.ready(AbortSignal.timeout(30_000));
  };
  const prefix = { REDIS_KEY_PREFIX: `image-${PORT}` };
  await start("simulator", { SIMULATOR_PORT });
  await start("worker", {
    ...prefix,
    WORKER_PORT,
    WORKER_DRAIN_MS: "0",
    ELEVENLABS_URL: `http://127.0.0.1:${SIMULATOR_PORT}`,
    ELEVENLABS_API_KEY: "sk_simulator",
  });
  await start("edge", { ...prefix, PORT, OPS_PORT, DRAIN_SPREAD_MS: "0" });

  const spoken = await fetch(`http://127.0.0.1:${PORT}/api/v1/synthesize`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "audio/pcm" },
    body: '{"text":"From an image."}',
  });
  expect(spoken.status, lines.join("\n")).toBe(200);
  expect((await spoken.arrayBuffer()).byteLength).toBeGreaterThan(10_000);
}, 180_000);
