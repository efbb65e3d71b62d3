import { toLoggedError } from "@tts-labs/core/process/log-error";
import { openLogger } from "@tts-labs/core/process/logger";
import { secretsIn, withoutPassword } from "@tts-labs/core/process/secrets";
import { GatewayError } from "@tts-labs/protocol/errors";
import { pino } from "pino";
import { describe, expect, test } from "vitest";

const PASSWORD = "hunter2-of-redis";
const KEY = "sk_0123456789abcdef";

/** As ioredis, Node.js and HTTP clients make them. */
const telltale = (): Error =>
  Object.assign(new Error("WRONGPASS invalid username-password pair or user is disabled."), {
    name: "ReplyError",
    command: { name: "auth", args: ["default", PASSWORD] },
    input: `redis://default:${PASSWORD}@redis:6379`,
    config: { headers: { "xi-api-key": KEY } },
    previousErrors: [{ command: { args: [PASSWORD] } }],
  });

describe("an error in a log", () => {
  test("keeps type, message, code, stack, our facts and causes, and nothing else that hangs on it", () => {
    const node = Object.assign(new Error("connect ECONNREFUSED"), {
      code: "ECONNREFUSED",
      address: "10.0.0.1",
    });
    const error = new GatewayError("storage.unavailable", undefined, {
      cause: new Error("outer", { cause: telltale() }),
      facts: { limit: 3 },
    });
    const logged = toLoggedError(error);
    expect(logged).toMatchObject({ type: "GatewayError", code: "storage.unavailable", facts: { limit: 3 } });
    expect(logged.cause?.cause).toMatchObject({
      type: "ReplyError",
      message: expect.stringContaining("WRONGPASS"),
    });
    expect(Object.keys(logged.cause?.cause ?? {}).sort()).toEqual(["message", "stack", "type"]);
    expect(Object.keys(toLoggedError(node)).sort()).toEqual(["code", "message", "stack", "type"]);
    expect(JSON.stringify(logged)).not.toMatch(/hunter2|sk_/);
  });

  test("is bounded, however long or deep, also where it is its own cause", () => {
    const long = new Error("x".repeat(1_000_000));
    expect(JSON.stringify(toLoggedError(long)).length).toBeLessThan(6_000);
    const ring = new Error("ring");
    ring.cause = ring;
    expect(JSON.stringify(toLoggedError(ring)).match(/"message":"ring"/g)).toHaveLength(4);
    const many = new AggregateError(Array.from({ length: 1_000 }, () => long));
    expect(JSON.stringify(toLoggedError(many)).length).toBeLessThan(40_000);
  });

  test("is told where something else was thrown, but not what an unknown object holds", () => {
    expect(toLoggedError("a word")).toEqual({ type: "string", message: "a word" });
    expect(JSON.stringify(toLoggedError({ args: [PASSWORD] }))).not.toContain(PASSWORD);
  });
});

describe("the log", () => {
  const lines: string[] = [];
  const log = (secrets: readonly string[]) =>
    openLogger({ name: "test", level: "debug", secrets, write: (line) => void lines.push(line) });

  test("tells errors so under every field's name; pino's own way tells the password", () => {
    const logger = log([]);
    logger.warn({ err: telltale() }, "failed");
    logger.warn({ why: telltale(), err: { args: [PASSWORD] } }, "failed");
    logger.debug(telltale(), "failed");
    expect(lines).toHaveLength(3);
    expect(lines.join("")).not.toMatch(/hunter2|sk_/);
    expect(lines.join("").match(/WRONGPASS/g)?.length).toBeGreaterThanOrEqual(3);
    const careless: string[] = [];
    pino({}, { write: (line: string) => void careless.push(line) }).warn({ err: telltale() }, "failed");
    expect(careless.join("")).toContain(PASSWORD);
  });

  test("holds no secret of the configuration, however it came into a line", () => {
    const text = { about: "", schema: undefined as never, defaultText: undefined };
    const variables = {
      url: { name: "REDIS_URL", secret: false, ...text },
      keys: { name: "API_KEYS", secret: true, ...text },
    };
    const env = { REDIS_URL: `redis://user:p%40ss%2Fword%22@redis:6379`, API_KEYS: `${KEY}, sk_another_key` };
    const secrets = secretsIn(variables, env);
    expect(secrets).toEqual(
      expect.arrayContaining(["p%40ss%2Fword%22", 'p@ss/word"', KEY, "sk_another_key"]),
    );
    lines.length = 0;
    log(secrets).info(
      { url: env.REDIS_URL, said: `no such key: ${KEY}`, other: 'p@ss/word"' },
      "sk_another_key?",
    );
    expect(lines[0]).toContain("[secret]");
    for (const secret of ["p%40ss", "p@ss", KEY, "sk_another_key"]) expect(lines[0]).not.toContain(secret);
    expect(() => JSON.parse(lines[0] ?? "")).not.toThrow();
  });

  test("finds the password of an address that nothing can read", () => {
    const url = {
      name: "REDIS_URL",
      secret: false,
      about: "",
      schema: undefined as never,
      defaultText: undefined,
    };
    expect(secretsIn({ url }, { REDIS_URL: "redis://:pa/ss#wo@rd@host:6379" })).toContain("pa/ss#wo@rd");
    for (const misspelt of ["redis//:hunter2@host", "redis:/user:hunter2@host", "user:hunter2@host"]) {
      expect(secretsIn({ url }, { REDIS_URL: misspelt })).toContain("hunter2");
      expect(withoutPassword(misspelt)).not.toContain("hunter2");
    }
  });
});
