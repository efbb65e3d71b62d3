import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, inject, it, onTestFinished } from "vitest";
import { alteredBinaries } from "../../../scripts/check-binaries.ts";
import { freePort } from "../../../scripts/private-redis.ts";
import { Part } from "../../../scripts/supervisor/part.ts";
import { ImageSteps } from "../../../testkit/ground/image-steps.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const GPL_VOICE = "node_modules/@echogarden/espeak-ng-emscripten";
const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
/** Megabytes that the program and its packages may take beside Node. */
const MOST_MB: Readonly<Record<string, number>> = { edge: 48, worker: 28, simulator: 56 };

/** Of the files in `folder`, links not followed. */
const megabytes = (folder: string): number =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => lstatSync(join(folder, file)))
    .reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0) / 1_000_000;

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
    // Production packages alone, and of this program alone.
    const unwanted = Object.keys(devDependencies).filter((it) => existsSync(join(app, "node_modules", it)));
    expect(
      unwanted.filter((it) => it !== "yaml" && it !== "ws"),
      name,
    ).toEqual([]);
    expect(readdirSync(join(app, "apps"))).toEqual([name]);
    expect(alteredBinaries(app)).toEqual([]);
    expect(megabytes(app), name).toBeLessThan(MOST_MB[name] ?? 0);
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

  // The page was built beforehand.
  const page = await fetch(`http://127.0.0.1:${PORT}/fastrtc`);
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("page.js")]);
  const script = await fetch(`http://127.0.0.1:${PORT}/fastrtc/page.js`);
  expect([script.status, (await script.text()).length > 10_000]).toEqual([200, true]);
  const spoken = await fetch(`http://127.0.0.1:${PORT}/api/v1/synthesize`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "audio/pcm" },
    body: '{"text":"From an image."}',
  });
  expect(spoken.status, lines.join("\n")).toBe(200);
  expect((await spoken.arrayBuffer()).byteLength).toBeGreaterThan(10_000);
}, 180_000);
