import { BrowserTokens } from "@tts-labs/core/access/browser-tokens";
import { KeyStore } from "@tts-labs/core/access/key-store";
import { TenantUsage } from "@tts-labs/core/access/tenant-usage";
import { UsageLedger } from "@tts-labs/core/access/usage-ledger";
import { isLoopback } from "@tts-labs/core/http/door";
import type { Logger } from "@tts-labs/core/logger";
import type { RedisConnection } from "@tts-labs/core/redis/client";
import type { Keys } from "@tts-labs/core/redis/keys";
import { GatewayError } from "@tts-labs/protocol/errors";
import { Access } from "./access.ts";
import { TenantLimiter, type TenantLimiterRoles } from "./tenant-limiter.ts";

export interface AccessSettings {
  readonly host: string;
  readonly opsHost: string;
  readonly access: "auto" | "open" | "keys";
  readonly opsAccess: "auto" | "open" | "keys";
}

/** Where keys and tokens are. */
export interface AccessStore {
  readonly keys: KeyStore;
  readonly tokens: BrowserTokens;
  readonly usage: TenantUsage;
  readonly ledger: UsageLedger;
}

export const openAccessStore = (redis: RedisConnection, keys: Keys): AccessStore => ({
  keys: new KeyStore(redis, keys),
  tokens: new BrowserTokens(redis, keys),
  usage: new TenantUsage(redis, keys),
  ledger: new UsageLedger(redis, keys),
});

export interface OpenedAccess {
  readonly clients: Access;
  readonly operators: Access;
  /** May be called twice. */
  close(): void;
}

const MAKE_A_KEY = "make one with: npm run keys -- create --tenant NAME";

/**
 * Decides, once at start, which ports are open and which ask for keys. What would be open to strangers by an oversight
 * does not start; what was opened to them on purpose is said in the log.
 * @param store where keys are; absent where there is none, and all is open
 * @throws GatewayError `config.invalid`, `storage.*`
 */
export async function openAccess(
  settings: AccessSettings,
  store: AccessStore | undefined,
  logger: Logger,
): Promise<OpenedAccess> {
  const { host, opsHost } = settings;
  const isLocal = isLoopback(host);
  const access = settings.access === "auto" ? (isLocal ? "open" : "keys") : settings.access;
  const opsAccess =
    settings.opsAccess === "auto" ? (isLoopback(opsHost) ? "open" : access) : settings.opsAccess;
  if (store === undefined) return { clients: open(logger), operators: open(logger), close: () => {} };
  if (access === "keys" && !(await store.keys.hasKeys())) {
    if (settings.access === "auto") {
      throw new GatewayError(
        "config.invalid",
        `HOST=${host} can be reached from other machines, and there is no API key: set ACCESS=keys and ${MAKE_A_KEY}, or set ACCESS=open to let everybody in.`,
      );
    }
    logger.warn({ access }, `there is no API key yet, so nobody can use this edge; ${MAKE_A_KEY}`);
  }
  if (access === "open" && !isLocal) {
    logger.warn({ access, host }, "everybody who reaches this edge may have speech made: ACCESS is open");
  }
  const clients =
    access === "open" ? open(logger) : new Access({ store: store.keys, tokens: store.tokens, logger });
  const operators = opsAccess === "open" ? open(logger) : new Access({ store: store.keys, logger });
  return {
    clients,
    operators,
    close: () => {
      clients.close();
      operators.close();
    },
  };
}

/** What holds tenants to their limits, where the edge knows tenants. */
export function openLimiter(
  clients: Access,
  store: AccessStore | undefined,
  observer: TenantLimiterRoles["observer"],
  logger: Logger,
): TenantLimiter {
  const roles = { observer, logger };
  return new TenantLimiter(clients.isOpen || store === undefined ? roles : { ...roles, usage: store.usage });
}

/** An edge looks for accounts that died with another at this interval. */
const SWEEP_EVERY_MS = 60_000;

/** Closes the accounts of utterances whose edge has died, of all tenants, until it is closed. */
export function sweepLedger(ledger: UsageLedger, logger: Logger): { close(): void } {
  const sweep = async () => {
    for (const tenant of await ledger.tenants()) await ledger.settleLost(tenant);
  };
  const timer = setInterval(
    () => void sweep().catch((err: unknown) => logger.debug({ err }, "the ledger could not be swept")),
    SWEEP_EVERY_MS * (1 + Math.random() / 4),
  );
  timer.unref();
  return { close: () => clearInterval(timer) };
}

const open = (logger: Logger) => new Access({ logger });
