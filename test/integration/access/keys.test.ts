import { KeyStore } from "@tts-labs/core/access/key-store";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { type KeyedEdges, startKeyedEdges } from "../../../testkit/access/keyed-edges.ts";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";

let edges: KeyedEdges;
beforeAll(async () => {
  edges = await startKeyedEdges({ redisUrl: inject("redisUrl") });
});
afterAll(() => edges.close());

const post = (url: string, headers: Readonly<Record<string, string>> = {}, path = "/api/v1/synthesize") =>
  fetch(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "audio/pcm", ...headers },
    body: JSON.stringify({ text: "Who asks?" }),
  });
const codeOf = async (response: Response): Promise<string> =>
  ((await response.json()) as { error: { code: string } }).error.code;
async function connect(url: string, headers: Readonly<Record<string, string>>, query = {}) {
  const client = await NativeClient.connect(url, query, { headers });
  onTestFinished(() => client.close());
  return client;
}

describe("an edge that asks for keys", () => {
  test("refuses those who show none, on every route but pages and probes", async () => {
    const { url } = edges.edge;
    const refused = [await post(url), await fetch(`${url}/api/v1/voices`)];
    for (const response of refused) {
      expect(response.status).toBe(401);
      expect(await codeOf(response)).toBe("authentication.missing");
    }
    for (const path of ["/healthz", "/readyz", "/fastrtc"]) {
      expect((await fetch(`${url}${path}`)).status, path).toBe(200);
    }
  });

  test.each([
    ["authorization", (key: string) => `Bearer ${key}`],
    ["xi-api-key", (key: string) => key],
    ["x-api-key", (key: string) => key],
  ])("takes a key in the header %s", async (header, write) => {
    const { key } = await edges.makeKey("acme");
    const headers = { [header]: write(key) };
    for (const url of edges.urls) {
      const response = await post(url, headers);
      expect(response.status).toBe(200);
      expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(0);
      expect((await fetch(`${url}/api/v1/voices`, { headers })).status).toBe(200);
      expect((await (await connect(url, headers)).speak("Hello.")).end.type).toBe("stream_complete");
    }
  });

  test("says the same of a key that never was and of one with a wrong secret", async () => {
    const { key } = await edges.makeKey("acme");
    const wrong = `${key.slice(0, -4)}${key.endsWith("AAAA") ? "BBBB" : "AAAA"}`;
    const unknown = `tts_${"0".repeat(12)}_${"A".repeat(43)}`;
    await (await post(edges.edge.url, { "x-api-key": key })).arrayBuffer();
    const answers = [];
    for (const shown of [wrong, unknown]) {
      const response = await post(edges.edge.url, { "x-api-key": shown });
      const { request_id: _, ...body } = (await response.json()) as Record<string, unknown>;
      answers.push({ status: response.status, body });
    }
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.status).toBe(401);
  });

  test("takes no key from an address", async () => {
    const { key } = await edges.makeKey("acme");
    for (const name of ["api_key", "xi-api-key", "key", "token"]) {
      const response = await post(edges.edge.url, {}, `/api/v1/synthesize?${name}=${key}`);
      expect(response.status).toBe(401);
      expect(await response.text()).not.toContain(key);
    }
  });

  test("lets an operator's key see, and not speak; a client's speak, and not see", async () => {
    const operators = await startEdgeAlone({
      redisUrl: inject("redisUrl"),
      edge: { access: "keys", opsAccess: "keys" },
    });
    onTestFinished(() => operators.close());
    const store = new KeyStore(operators.redis, operators.keys);
    const operator = await store.create({ tenant: "desk", name: "", role: "operator" });
    const client = await store.create({ tenant: "acme", name: "", role: "client" });
    const { url, opsUrl } = operators.edge;
    const speaks = async (key: string) => (await post(url, { "x-api-key": key })).status;
    const sees = async (key: string) =>
      (await fetch(`${opsUrl}/api/v1/live`, { headers: { "x-api-key": key } })).status;
    expect([await speaks(client.key), await sees(client.key)]).toEqual([200, 403]);
    expect([await speaks(operator.key), await sees(operator.key)]).toEqual([403, 200]);
    expect((await fetch(`${opsUrl}/metrics`)).status).toBe(401);
    expect((await fetch(`${opsUrl}/healthz`)).status).toBe(200);
  });

  test("refuses a key that was revoked, and closes what it has opened, within 2 seconds on all edges", async () => {
    const lost = await edges.makeKey("acme");
    const kept = await edges.makeKey("acme");
    const open = await Promise.all(edges.urls.map((url) => connect(url, lost.headers)));
    const others = await Promise.all(edges.urls.map((url) => connect(url, kept.headers)));
    const revokedAtMs = performance.now();
    expect(await edges.store.revoke(lost.id)).toBe(true);
    for (const client of open) {
      expect((await client.closed).code).toBe(4503);
      expect(client.messages.at(-1)).toMatchObject({ type: "error", code: "authentication.revoked" });
    }
    expect(performance.now() - revokedAtMs).toBeLessThan(2_000);
    for (const url of edges.urls) expect((await post(url, lost.headers)).status).toBe(401);
    for (const client of others) expect((await client.speak("Still here.")).end.type).toBe("stream_complete");
  });

  test("closes the sessions of a key that expires", async () => {
    const { key } = await edges.store.create({
      tenant: "acme",
      name: "short",
      role: "client",
      expiresInMs: 700,
    });
    const client = await connect(edges.edge.url, { "x-api-key": key });
    expect((await client.closed).code).toBe(4503);
  });

  test("keeps tenants apart who have chosen the same session id", async () => {
    const [acme, other] = [await edges.makeKey("acme"), await edges.makeKey("other")];
    const mine = await connect(edges.urls[0], acme.headers, { session_id: "room" });
    const theirs = await connect(edges.urls[1], other.headers, { session_id: "room" });
    expect([mine.connected.session_id, theirs.connected.session_id]).toEqual(["room", "room"]);
    await expect(
      NativeClient.connect(edges.urls[0], { session_id: "room" }, { headers: acme.headers }),
    ).rejects.toThrow("session.held");
    expect((await mine.speak("Mine.")).end.type).toBe("stream_complete");
    expect((await theirs.speak("Theirs.")).end.type).toBe("stream_complete");
  });

  test("lets pages of listed sites ask with a key, after a preflight that needs none", async () => {
    const site = "https://app.example.com";
    const listing = await startKeyedEdges({ redisUrl: inject("redisUrl"), edge: { allowedOrigins: [site] } });
    onTestFinished(() => listing.close());
    const { headers } = await listing.makeKey("acme");
    for (const [path, method] of [
      ["/api/v1/synthesize", "POST"],
      ["/api/v1/voices", "GET"],
      ["/api/v1/tokens", "POST"],
    ] as const) {
      const asks = { origin: site, "access-control-request-method": method };
      const preflight = await fetch(`${listing.edge.url}${path}`, { method: "OPTIONS", headers: asks });
      expect(preflight.status, path).toBe(204);
      const allowed = preflight.headers.get("access-control-allow-headers");
      for (const name of ["authorization", "x-api-key", "xi-api-key"]) expect(allowed).toContain(name);
      const init =
        method === "POST" ? { body: JSON.stringify(path.endsWith("tokens") ? {} : { text: "Hi." }) } : {};
      const answer = await fetch(`${listing.edge.url}${path}`, {
        method,
        headers: { ...headers, origin: site, "content-type": "application/json" },
        ...init,
      });
      expect(answer.ok, path).toBe(true);
      expect(answer.headers.get("access-control-allow-origin")).toBe(site);
      await answer.arrayBuffer();
    }
    const foreign = await fetch(`${listing.edge.url}/api/v1/voices`, {
      headers: { ...headers, origin: "https://evil.example" },
    });
    expect(foreign.status).toBe(403);
  });

  test("lets a tenant's keys be used by the pages that the tenant lists only", async () => {
    const site = "https://own.example.com";
    const listing = await startKeyedEdges({ redisUrl: inject("redisUrl"), edge: { allowedOrigins: ["*"] } });
    onTestFinished(() => listing.close());
    await listing.store.setPolicy("own", { limits: {}, origins: [site], weight: 1 });
    const { headers } = await listing.makeKey("own");
    const status = async (origin: string) =>
      (await fetch(`${listing.edge.url}/api/v1/voices`, { headers: { ...headers, origin } })).status;
    expect([await status(site), await status("https://other.example.com")]).toEqual([200, 403]);
  });
});
