import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { silentLogger } from "@tts-labs/core/logger";
import { closeRedis, openRedis } from "@tts-labs/core/redis/client";
import { defaultEdgeConfig } from "@tts-labs/edge/config";
import { startEdge } from "@tts-labs/edge/main";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { freePort, startPrivateRedis } from "../../../scripts/private-redis.ts";
import { startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";

/** For tests alone: its key is here for everybody to read. */
const FOLDER = join(import.meta.dirname, "../../fixtures/tls");
const tlsCertFile = join(FOLDER, "cert.pem");
const tlsKeyFile = join(FOLDER, "key.pem");
const ca = readFileSync(tlsCertFile);
const EDGE = join(import.meta.dirname, "../../../apps/edge/src/main.ts");

function get(url: string, trusted?: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(
      url,
      { agent: false, ...(trusted === undefined ? {} : { ca: trusted }) },
      (answer) => {
        answer.resume();
        answer.on("end", () => resolve(answer.statusCode ?? 0));
      },
    );
    asked.on("error", reject);
    asked.end();
  });
}

describe("an edge with a certificate", () => {
  test("speaks HTTPS and WSS, and plain HTTP no more", async () => {
    const alone = await startEdgeAlone({ redisUrl: inject("redisUrl"), edge: { tlsCertFile, tlsKeyFile } });
    onTestFinished(() => alone.close());
    const { url } = alone.edge;
    expect(url).toMatch(/^https:/);
    expect(await get(`${url}/healthz`, ca)).toBe(200);
    await expect(get(`${url}/healthz`)).rejects.toThrow(/self-signed/);
    await expect(fetch(`${url.replace("https", "http")}/healthz`)).rejects.toThrow();
    const socket = new WebSocket(`${url.replace("https", "wss")}/api/v1/stream`, { ca });
    onTestFinished(() => socket.terminate());
    const [message] = await once(socket, "message");
    expect(JSON.parse(String(message))).toMatchObject({ type: "connected" });
  });

  test.each([
    ["a certificate without its key", { tlsCertFile }, /set the other, too/],
    ["files that are not there", { tlsCertFile: "/nowhere/c.pem", tlsKeyFile: "/nowhere/k.pem" }, /in PEM/],
    ["a key that is none", { tlsCertFile, tlsKeyFile: tlsCertFile }, /in PEM/],
  ])("does not start with %s, and says what is needed", async (_what, files, words) => {
    const config = defaultEdgeConfig({ redisUrl: inject("redisUrl"), port: 0, keyPrefix: "tls", ...files });
    await expect(startEdge(config, silentLogger)).rejects.toThrow(words);
  });
});

test("an edge reaches Redis over TLS as a user with rights on its own keys only", async () => {
  const tlsPort = await freePort();
  const redis = await startPrivateRedis({
    args: [
      ...["--tls-port", String(tlsPort), "--tls-cert-file", tlsCertFile, "--tls-key-file", tlsKeyFile],
      ...["--tls-ca-cert-file", tlsCertFile, "--tls-auth-clients", "no"],
    ],
  });
  onTestFinished(() => redis.stop());
  const admin = openRedis({ url: redis.url, purpose: "commands", logger: silentLogger });
  onTestFinished(() => closeRedis(admin));
  const rights = ["~tts:*", "~{tts-jobs}:*", "&tts:*", "+@all", "-@admin", "-@dangerous", "+info"];
  await admin.call("ACL", "SETUSER", "speech", "on", ">passed-in-the-url", ...rights);
  const start = (host: string) => {
    const env = {
      PATH: process.env["PATH"],
      NODE_EXTRA_CA_CERTS: tlsCertFile,
      REDIS_URL: `rediss://speech:passed-in-the-url@${host}:${tlsPort}`,
      PORT: "0",
      OPS_PORT: "0",
    };
    const child = spawn(process.execPath, [EDGE], { env, stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(async () => {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    });
    return child;
  };
  const lines = createInterface({ input: start("127.0.0.1").stdout });
  onTestFinished(() => lines.close());
  let url: string | undefined;
  for await (const line of lines) {
    ({ url } = JSON.parse(line) as { url?: string });
    if (url !== undefined) break;
  }
  const ready = async () => (await fetch(`${url}/readyz`)).status;
  await expect.poll(ready, { timeout: 10_000 }).toBe(200);
  const users = String(await admin.call("CLIENT", "LIST"));
  expect(users.match(/user=speech/g)?.length).toBeGreaterThanOrEqual(3);
}, 30_000);
