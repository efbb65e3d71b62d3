import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { type EdgeAlone, startEdgeAlone } from "../../../testkit/fleet/edge-alone.ts";
import { startSystem } from "../../../testkit/fleet/system.ts";

const SITE = "https://app.example.com";
let alone: EdgeAlone;
beforeAll(async () => {
  alone = await startEdgeAlone({ redisUrl: inject("redisUrl"), edge: { allowedOrigins: [SITE] } });
});
afterAll(() => alone.close());

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** fetch would not let one say Host, Origin and Connection. */
function ask(url: string, method: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, timeout: 5_000 }, (answer: IncomingMessage) => {
      let body = "";
      answer.setEncoding("utf8");
      answer.on("data", (part: string) => {
        body += part;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
    });
    asked.on("error", reject);
    asked.end(method === "POST" ? '{"text":"Speech paid by somebody else."}' : undefined);
  });
}

const json = { "content-type": "application/json", accept: "audio/pcm" };
const FOREIGN = [
  ["a foreign Host", { host: "evil.example" }, 421],
  [
    "a foreign Host that its Origin agrees with",
    { host: "evil.example", origin: "http://evil.example" },
    421,
  ],
  ["a foreign Origin", { origin: "https://evil.example" }, 403],
  ["the Origin null", { origin: "null" }, 403],
] as const;

/** The upgrade's answer: 101 and the protocol, or status and body. */
function upgrade(
  headers: Readonly<Record<string, string>>,
  protocols: readonly string[] = [],
): Promise<{ readonly status: number; readonly protocol?: string; readonly body?: string }> {
  const socket = new WebSocket(`${alone.edge.url.replace("http", "ws")}/api/v1/stream`, [...protocols], {
    headers,
  });
  onTestFinished(() => socket.terminate());
  return new Promise((resolve, reject) => {
    socket.on("upgrade", ({ statusCode = 0, headers: told }) =>
      resolve({ status: statusCode, protocol: told["sec-websocket-protocol"] ?? "" }),
    );
    socket.on("unexpected-response", (_request, answer) => {
      let body = "";
      answer.on("data", (part: Buffer) => {
        body += part.toString();
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
    });
    socket.on("error", reject);
  });
}

describe("a page of a stranger's", () => {
  test.each(FOREIGN)(
    "with %s is refused on every route, before anything is done",
    async (_what, claims, status) => {
      const { url, opsUrl } = alone.edge;
      const asked = [
        ...["/", "/fastrtc", "/healthz", "/readyz", "/api/v1/voices", "/nowhere"].map((it) => [
          "GET",
          url + it,
        ]),
        ...["/healthz", "/metrics", "/api/v1/live", "/api/v1/info", "/nowhere"].map((it) => [
          "GET",
          opsUrl + it,
        ]),
        ["POST", `${url}/api/v1/synthesize`],
        ["OPTIONS", `${url}/api/v1/synthesize`],
        ["HEAD", `${url}/healthz`],
      ];
      for (const [method = "", at = ""] of asked) {
        const answer = await ask(at, method, { ...json, ...claims });
        expect([method, at, answer.status]).toEqual([method, at, status]);
        expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
        if (method !== "HEAD") expect(answer.body).toMatch(/"authentication\.(host|origin)_refused"/);
      }
      expect(await upgrade(claims)).toMatchObject({ status });
      expect(alone.worker.runs).toEqual([]);
      expect(alone.edge.counts().sessions).toBe(0);
    },
  );

  test.each(FOREIGN)("with %s is refused by worker and simulator", async (_what, claims, status) => {
    const system = await startSystem({ redisUrl: inject("redisUrl") });
    onTestFinished(() => system.close());
    for (const url of [system.workers[0]?.opsUrl, system.simulator.url]) {
      for (const path of ["/healthz", "/readyz", "/metrics", "/nowhere"]) {
        expect((await ask(`${url}${path}`, "GET", claims)).status, path).toBe(status);
      }
      expect((await ask(`${url}/healthz`, "GET", {})).status).toBe(200);
    }
    const path = "/v1/text-to-speech/simEnglishGrace0000A/stream-input?model_id=eleven_flash_v2_5";
    const socket = new WebSocket(system.simulator.url.replace("http", "ws") + path, {
      headers: { ...claims },
    });
    const refused = await new Promise((resolve) => {
      socket.on("unexpected-response", (_request, answer) => resolve(answer.statusCode));
      socket.on("open", () => resolve(101));
      socket.on("error", () => {});
    });
    expect(refused).toBe(status);
  });

  test("would be served speech by an edge that lists every site and its Host", async () => {
    const careless = await startEdgeAlone({
      redisUrl: inject("redisUrl"),
      edge: { allowedOrigins: ["*"], allowedHosts: ["evil.example"] },
    });
    onTestFinished(() => careless.close());
    const claims = { host: "evil.example", origin: "https://evil.example" };
    const answer = await ask(`${careless.edge.url}/api/v1/synthesize`, "POST", { ...json, ...claims });
    expect([answer.status, careless.worker.runs.length]).toEqual([200, 1]);
  });
});

describe("a page of a site that the operator lists", () => {
  test("may ask after a preflight, and read the answer", async () => {
    const { url } = alone.edge;
    const preflight = await ask(`${url}/api/v1/synthesize`, "OPTIONS", {
      origin: SITE,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type",
    });
    expect([preflight.status, preflight.body]).toEqual([204, ""]);
    expect(preflight.headers).toMatchObject({
      "access-control-allow-origin": SITE,
      "access-control-allow-methods": "POST",
      "access-control-allow-headers": expect.stringContaining("content-type"),
      vary: "origin",
    });
    const voices = await ask(`${url}/api/v1/voices`, "GET", { origin: SITE });
    expect(voices).toMatchObject({ status: 200, headers: { "access-control-allow-origin": SITE } });
    expect((await upgrade({ origin: SITE })).status).toBe(101);
  });

  test("is no operator: the operators' port takes no page of another site", async () => {
    expect((await ask(`${alone.edge.opsUrl}/api/v1/live`, "GET", { origin: SITE })).status).toBe(403);
  });
});

describe("the clients' port", () => {
  test("has nothing for operators", async () => {
    for (const path of ["/metrics", "/api/v1/live", "/api/v1/info"]) {
      const answer = await ask(alone.edge.url + path, "GET", {});
      expect([path, answer.status]).toEqual([path, 404]);
    }
  });

  test("says of every answer what browsers need to be careful with it, and the page still runs its own scripts", async () => {
    for (const path of ["/healthz", "/nowhere", "/fastrtc", "/fastrtc/page.css"]) {
      const { headers } = await ask(alone.edge.url + path, "GET", {});
      expect(headers, path).toMatchObject({
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "content-security-policy": expect.stringContaining("frame-ancestors 'none'"),
        "cross-origin-resource-policy": "same-origin",
      });
    }
    const page = await ask(`${alone.edge.url}/fastrtc`, "GET", {});
    expect(page.headers["content-security-policy"]).toContain("script-src 'self'");
  });

  test("names one protocol that it speaks, of however many are offered, and never sends back what it does not know", async () => {
    expect((await upgrade({}, ["key.sk_secret_0123456789", "tts-labs.v1", "other"])).protocol).toBe(
      "tts-labs.v1",
    );
    const socket = connect(alone.edge.port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    let told = "";
    socket.on("data", (part: Buffer) => {
      told += part.toString("latin1");
    });
    socket.write(
      "GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n" +
        "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        "sec-websocket-protocol: key.sk_secret_0123456789, unknown\r\n\r\n",
    );
    await expect.poll(() => told).toContain('"connected"');
    expect(told).toMatch(/^HTTP\/1\.1 101 /);
    expect(told.toLowerCase()).not.toMatch(/sec-websocket-protocol|sk_secret/);
  });

  test("takes request heads of up to 16 KB, and says 431 to longer ones", async () => {
    const cookie = (bytes: number) => ({ cookie: "x".repeat(bytes) });
    expect((await ask(`${alone.edge.url}/healthz`, "GET", cookie(5_000))).status).toBe(200);
    expect((await ask(`${alone.edge.url}/healthz`, "GET", cookie(16_000))).status).toBe(200);
    expect((await ask(`${alone.edge.url}/healthz`, "GET", cookie(17_000))).status).toBe(431);
    expect((await upgrade(cookie(15_000))).status).toBe(101);
  });

  test.each([
    ["HEAD", "/healthz", {}],
    ["HEAD", "/fastrtc", {}],
    ["HEAD", "/", {}],
    ["HEAD", "/nowhere", {}],
    ["GET", "/", {}],
    ["GET", "/nowhere", {}],
    ["DELETE", "/healthz", {}],
    ["GET", "/healthz", { origin: "null" }],
    ["OPTIONS", "/api/v1/voices", { origin: SITE, "access-control-request-method": "GET" }],
    ["GET", "/fastrtc", "if-none-match"],
    ["POST", "/api/v1/synthesize", {}],
    ["POST", "/api/v1/synthesize", json],
  ] as const)(
    "closes at once behind the answer to %s %s where it is asked to",
    async (method, path, more) => {
      const etag = () => ask(alone.edge.url + path, "GET", {}).then((it) => it.headers.etag ?? "");
      const headers = more === "if-none-match" ? { [more]: await etag() } : more;
      const body = method === "POST" ? '{"text":"Hello."}' : "";
      const lines = Object.entries({ ...headers, connection: "close", host: "localhost" });
      const socket = connect(alone.edge.port, "127.0.0.1");
      const closed = new Promise<number>((resolve) => {
        socket.on("end", () => resolve(performance.now()));
      });
      const length = body === "" ? "" : `content-length: ${body.length}\r\n`;
      const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      let told = "";
      socket.on("data", (part: Buffer) => {
        told += part.toString("latin1");
      });
      const askedAtMs = performance.now();
      socket.write(`${method} ${path} HTTP/1.1\r\n${head}${length}\r\n${body}`);
      expect((await closed) - askedAtMs).toBeLessThan(1_000);
      expect(told).toMatch(/^HTTP\/1\.1 \d{3} /);
      if (method === "HEAD") expect(told).toMatch(/content-length: \d+\r\n[\s\S]*\r\n\r\n$/);
      socket.destroy();
    },
  );

  test("goes on over the same connection where it is not asked to close it, also behind HEAD and 304", async () => {
    const socket = connect(alone.edge.port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    let told = "";
    socket.on("data", (part: Buffer) => {
      told += part.toString("latin1");
    });
    const { headers } = await ask(`${alone.edge.url}/fastrtc`, "GET", {});
    for (let i = 1; i <= 3; i++) {
      socket.write("HEAD /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
      await expect.poll(() => told.match(/HTTP\/1\.1 200/g)?.length ?? 0).toBe(i);
      socket.write(`GET /fastrtc HTTP/1.1\r\nhost: localhost\r\nif-none-match: ${headers.etag}\r\n\r\n`);
      await expect.poll(() => told.match(/HTTP\/1\.1 304/g)?.length ?? 0).toBe(i);
    }
  });
});

describe("the operators' port", () => {
  test("refuses nothing to an operator who asks ten times in a row (negative twin)", async () => {
    const { opsUrl } = alone.edge;
    for (let i = 0; i < 10; i++)
      expect((await ask(`${opsUrl}/api/v1/live?limit=500`, "GET", {})).status).toBe(200);
  });

  test("answers so much a second and then says when to come; probes it always answers, and clients notice nothing", async () => {
    const { opsUrl } = alone.edge;
    const asked = await Promise.all(
      Array.from({ length: 60 }, () => ask(`${opsUrl}/api/v1/live?limit=500`, "GET", {})),
    );
    const refused = asked.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(40);
    expect(refused[0]?.body).toContain("capacity.rate_limited");
    expect(Number(refused[0]?.headers["retry-after"])).toBeGreaterThan(0);
    for (const path of ["/healthz", "/readyz"])
      expect((await ask(opsUrl + path, "GET", {})).status).toBe(200);
    expect((await ask(`${alone.edge.url}/api/v1/voices`, "GET", {})).status).toBe(200);
  });
});
