import { randomBytes } from "node:crypto";
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { chooseFault } from "../choose-fault.ts";
import { type Fault, faultDurationMs } from "../faults/faults.ts";
import { type HttpError, httpErrors } from "../http/error.ts";
import type { Services } from "../services.ts";
import { passed, Timing } from "../timing.ts";
import { isDialogueModel } from "../voice/models.ts";
import { Connection } from "./connection.ts";
import { MultiStreamInput } from "./multi-stream-input.ts";
import { parseSocketQuery } from "./socket-query.ts";
import { StreamInput } from "./stream-input.ts";

const ROUTE = /^\/v1\/text-to-speech\/([^/]+)\/(stream-input|multi-stream-input)$/;
/** Longest client message; beyond it the socket is closed with 1009. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
const SECRET_PARAMETERS = new Set(["authorization", "single_use_token"]);

/** Takes upgrades: refuses, delays and opens as the service does, and hands each socket to its dialect. */
export class SocketServer {
  readonly #services: Services;
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
  });
  readonly #connections = new Set<Connection>();
  /** Upgrades that are being delayed: the server's end must end them too. */
  readonly #upgrading = new Set<Duplex>();

  constructor(services: Services) {
    this.#services = services;
    this.#server.on("headers", (headers) => {
      headers.push("x-region: simulator", `x-trace-id: ${randomBytes(16).toString("hex")}`);
    });
  }

  async upgrade(request: IncomingMessage, tcp: Duplex, head: Buffer): Promise<void> {
    tcp.on("error", () => tcp.destroy());
    const gone = new AbortController();
    const onClose = () => gone.abort();
    tcp.on("close", onClose);
    this.#upgrading.add(tcp);
    try {
      await this.#judge(request, tcp, head, gone.signal);
    } finally {
      tcp.off("close", onClose);
      this.#upgrading.delete(tcp);
    }
  }

  /** Ends every socket at once. */
  close(): void {
    for (const tcp of this.#upgrading) tcp.destroy();
    for (const connection of this.#connections) connection.terminate();
    this.#server.close();
  }

  async #judge(request: IncomingMessage, tcp: Duplex, head: Buffer, signal: AbortSignal): Promise<void> {
    const { settings, faults, witness } = this.#services;
    const url = new URL(request.url ?? "/", "http://simulator");
    const [, voiceId = "", route = ""] = ROUTE.exec(decodePath(url.pathname)) ?? [];
    if (route === "") {
      this.refuse(tcp, httpErrors.noRoute());
      return;
    }
    const id = witness.nextConnectionNumber();
    const timing = new Timing(settings, id);
    const fault = chooseFault(request, voiceId, faults);
    if (fault === "unknown") {
      this.refuse(tcp, httpErrors.unknownFault());
      return;
    }
    if (fault !== undefined) witness.fault(fault);
    const slow = fault?.name === "slow-upgrade" ? faultDurationMs(fault) : 0;
    if (!(await passed(timing.upgradeMs() + slow, signal))) return;
    const modelId = url.searchParams.get("model_id");
    const refusal = refusalFor(fault, modelId);
    if (refusal !== undefined) {
      this.refuse(tcp, refusal);
      return;
    }
    if (witness.open >= settings.maxConnections) {
      this.refuse(tcp, httpErrors.busy(503));
      return;
    }
    const credentials = this.#services.keyring.judge(request.headers, url.searchParams);
    const query = parseSocketQuery(voiceId, url.searchParams, settings.idleTimeoutSeconds);
    this.#server.handleUpgrade(request, tcp, head, (socket) => {
      const connection = new Connection(
        socket,
        tcp,
        witness.connected({
          id,
          route,
          voice: voiceId,
          query: Object.fromEntries(
            [...url.searchParams].map(([name, value]) => [
              name,
              SECRET_PARAMETERS.has(name) ? "[secret]" : value,
            ]),
          ),
          fault: fault?.name,
        }),
        timing,
      );
      this.#keep(connection);
      const options = { query, credentials, fault };
      if (route === "stream-input") new StreamInput(this.#services, connection, options);
      else new MultiStreamInput(this.#services, connection, options);
    });
  }

  #keep(connection: Connection): void {
    this.#connections.add(connection);
    const { pingMs } = this.#services.settings;
    const pings = pingMs > 0 ? setInterval(() => connection.ping(), pingMs) : undefined;
    connection.signal.addEventListener("abort", () => {
      clearInterval(pings);
      this.#connections.delete(connection);
    });
  }

  refuse(tcp: Duplex, { status, body }: HttpError): void {
    this.#services.witness.refused(status);
    const text = JSON.stringify(body);
    tcp.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\nconnection: close\r\ncontent-type: application/json\r\n` +
        `x-region: simulator\r\nx-trace-id: ${randomBytes(16).toString("hex")}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    );
  }
}

function refusalFor(fault: Fault | undefined, modelId: string | null): HttpError | undefined {
  switch (fault?.name) {
    case "upgrade-429":
      return httpErrors.busy(429);
    case "upgrade-500":
      return httpErrors.wentWrong();
    case "upgrade-503":
      return httpErrors.busy(503);
    case "upgrade-error":
      return httpErrors.named(fault.errorName);
    default:
      return modelId !== null && isDialogueModel(modelId) ? httpErrors.unsupportedModel(modelId) : undefined;
  }
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
