import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Door } from "@tts-labs/core/http/door";
import { listenAt } from "@tts-labs/core/http/listen-at";
import { SECURITY_HEADERS } from "@tts-labs/core/http/security-headers";
import type { BuildInfo } from "@tts-labs/core/process/build-info";
import { GatewayError, toHttpStatus } from "@tts-labs/protocol/errors";

/** Why the process should get no work just now: its own doing, or trouble with Redis. */
export type NotReady = "starting" | "draining" | GatewayError;

export interface OpsServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly allowedHosts: readonly string[];
  /** `undefined` when ready. Must settle soon. */
  readonly whyNotReady: () => Promise<NotReady | undefined>;
  readonly build: BuildInfo;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

export interface OpsServer {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Longest request line and headers together, as at the edge. */
const MAX_HEAD_BYTES = 16_384;

/**
 * For probes and Prometheus. `/healthz` says that the process answers, and nothing about Redis: a liveness
 * probe that depends on it turns an outage into restarts. `/readyz` says whether it should get work.
 */
export async function openOpsServer(options: OpsServerOptions): Promise<OpsServer> {
  const door = new Door({ boundTo: options.host, allowedHosts: options.allowedHosts });
  const server = createServer({ maxHeaderSize: MAX_HEAD_BYTES }, (request, response) => {
    const { host = "", origin = "" } = request.headers;
    const refusal = door.refusal({ host, origin });
    if (refusal !== undefined) {
      const { code, message } = refusal;
      sendJson(response, toHttpStatus(refusal), { error: { code, message } });
      return;
    }
    answer(request, response, options).catch(() => {
      if (!response.headersSent) sendJson(response, 500, { error: { code: "internal" } });
      else response.destroy();
    });
  });
  await listenAt(server, { host: options.host, port: options.port, variable: "WORKER_PORT" });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host}:${port}`,
    port,
    close: async () => {
      if (!server.listening) return;
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: OpsServerOptions,
): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return sendJson(response, 405, { error: { code: "protocol.method_not_allowed" } });
  }
  switch (request.url?.split("?", 1)[0]) {
    case "/healthz":
      return sendJson(response, 200, { status: "ok" });
    case "/readyz": {
      const reason = await options.whyNotReady();
      if (reason === undefined) return sendJson(response, 200, { status: "ready" });
      const why =
        reason instanceof GatewayError
          ? { reason: "redis", code: reason.code, message: reason.message }
          : { reason };
      return sendJson(response, 503, { status: "not ready", ...why });
    }
    case "/version":
      return sendJson(response, 200, options.build);
    case "/metrics": {
      const { contentType, text } = await options.metrics();
      response.writeHead(200, { ...SECURITY_HEADERS, "content-type": contentType }).end(text);
      return;
    }
    default:
      return sendJson(response, 404, { error: { code: "protocol.not_found" } });
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, { ...SECURITY_HEADERS, "content-type": "application/json" })
    .end(JSON.stringify(body));
}
