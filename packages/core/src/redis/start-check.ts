import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "@tts-labs/protocol/errors";
import { silentLogger } from "../logger.ts";
import { closeRedis, openRedis, type RedisConnection } from "./client.ts";
import { settleWithin } from "./settle-within.ts";

/** A Redis that starts together with us is given this long. */
const LIMIT_MS = 5_000;
const EVERY_MS = 100;

/** What waiting does not change. */
const REFUSALS: readonly (readonly [RegExp, (at: string, variable: string) => string])[] = [
  [
    /\bWRONGPASS\b|invalid password/i,
    (at, variable) => `Redis at ${at} refuses the user or password in ${variable}: correct them there.`,
  ],
  [
    /\bNOAUTH\b/,
    (at, variable) =>
      `Redis at ${at} asks for a password: put it into ${variable}, as in redis://:password@host:port.`,
  ],
  [
    /\bNOPERM\b/,
    (at, variable) => `Redis at ${at} does not let the user in ${variable} do what is needed (NOPERM).`,
  ],
];

/**
 * Resolves when Redis answers, before anything is built on it. Asks over a connection of its own, so that a mistake in
 * the configuration is told once, as one sentence that names the place to correct it.
 * @throws GatewayError `config.invalid` where Redis refuses us, `storage.unavailable` where it can't be reached in time
 */
export async function awaitRedis(
  url: string,
  variable = "REDIS_URL",
  limitMs: number = LIMIT_MS,
): Promise<void> {
  const redis = openRedis({ url, purpose: "commands", logger: silentLogger });
  const at = describeAddress(url);
  let trouble: unknown;
  const onError = (error: unknown) => {
    trouble = error;
  };
  redis.on("error", onError);
  redis.on("node error", onError);
  try {
    const endAtMs = performance.now() + limitMs;
    for (;;) {
      const failure = await failureOf(redis);
      if (failure === undefined) return;
      const texts = [textOf(failure), textOf(trouble)];
      for (const [words, sentence] of REFUSALS) {
        if (texts.some((it) => words.test(it)))
          throw new GatewayError("config.invalid", sentence(at, variable));
      }
      if (performance.now() >= endAtMs) throw unreachable(at, variable, trouble ?? failure);
      await sleep(EVERY_MS);
    }
  } finally {
    await closeRedis(redis);
  }
}

/** Asks for what needs a login; every answer of a server that lets us in will do. */
async function failureOf(redis: RedisConnection): Promise<unknown> {
  try {
    await settleWithin(redis.ping(), 1_000);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** With the words of a cluster's node, where one has said more. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const { lastNodeError } = error as { readonly lastNodeError?: unknown };
  return lastNodeError instanceof Error ? `${error.message} ${lastNodeError.message}` : error.message;
}

function unreachable(at: string, variable: string, error: unknown): GatewayError {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  const why = typeof code === "string" && /^E[A-Z]+$/.test(code) ? ` (${code})` : "";
  return new GatewayError(
    "storage.unavailable",
    `Redis at ${at} can't be reached${why}: start it, or correct ${variable}.`,
    { cause: error },
  );
}

/** Hosts and ports, or the socket's path: never user and password. */
function describeAddress(url: string): string {
  const withoutUser = url.replace(/^([a-z-]+:\/\/).*@/is, "$1");
  const [, scheme = "", rest = ""] = /^([a-z-]+):\/\/([^?#]*)/i.exec(withoutUser) ?? [];
  return scheme === "unix" ? rest : rest.replace(/\/.*$/, "");
}
