import "./head-limit.ts";
import { App } from "uWebSockets.js";
import { TokenBucket, type TokenRate } from "@tts-labs/core/async/token-bucket";
import { Door } from "@tts-labs/core/http/door";
import { GatewayError } from "@tts-labs/protocol/errors";
import type { Access } from "../access/access.ts";
import type { RequestGate } from "../budget/request-gate.ts";
import { type Listener, listenOn } from "./listen.ts";
import { addProbes, type OpsServices, opsRoutes, runOps } from "./ops-routes.ts";
import { Routes } from "./routes.ts";

/**
 * What operators may ask, of all routes together, so that dashboards, scrapes and people who look take little of the
 * event loop: a token is about half a millisecond of it. Probes cost nothing.
 */
export const OPS_RATE: TokenRate = { perSecond: 100, burst: 200 };

export interface OpsPortOptions {
  readonly opsHost: string;
  /** 0: a free one. */
  readonly opsPort: number;
  readonly allowedHosts: readonly string[];
  readonly ops: OpsServices;
  readonly gate: RequestGate;
  /** Open on loopback unless operators' keys are asked for. */
  readonly access: Pick<Access, "authenticate" | "isOpen">;
  readonly rate?: TokenRate;
}

/**
 * The operators' port: live view, metrics and info, which are nothing for clients. It is a door of its own, so that a
 * firewall or a network policy can tell operators from clients; no page of another site may use it.
 * @throws GatewayError `config.invalid` when the port is taken
 */
export function listenForOps(options: OpsPortOptions): Promise<Listener> {
  const { opsHost: host, opsPort: port, allowedHosts, ops, gate, access, rate = OPS_RATE } = options;
  const app = App();
  const door = new Door({ boundTo: host, allowedHosts });
  const routes = new Routes(app, { door, gate, access, role: "operator" });
  const bucket = new TokenBucket(rate, performance.now());
  const spend = (tokens: number) => {
    const nowMs = performance.now();
    if (bucket.tryTake(tokens, nowMs)) return;
    throw new GatewayError("capacity.rate_limited", "Operators ask too much at once.", {
      retryAfterMs: bucket.waitMs(tokens, nowMs),
    });
  };
  for (const [path, handler] of Object.entries(opsRoutes)) {
    routes.add(path, { GET: (exchange) => runOps(handler, exchange, { ...ops, spend }) });
  }
  addProbes(routes, ops);
  routes.addRest();
  return listenOn(app, { host, port, variable: "OPS_PORT" });
}
