import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { Door } from "@tts-labs/core/http/door";
import { listenAt } from "@tts-labs/core/http/listen-at";
import type { Logger } from "@tts-labs/core/logger";
import { readBuildInfo } from "@tts-labs/core/process/build-info";
import { Lifecycle, shutDownOnSignal } from "@tts-labs/core/process/lifecycle";
import { tellParent } from "@tts-labs/core/process/program";
import { runProgram } from "@tts-labs/core/process/run-program";
import { type SimulatorConfig, simulatorEnvironment } from "./config.ts";
import { Keyring } from "./credentials.ts";
import { FaultBoard } from "./faults/fault-board.ts";
import type { Fault } from "./faults/faults.ts";
import { sendError } from "./http/answer.ts";
import { httpErrors } from "./http/error.ts";
import { HttpRoutes } from "./http/routes.ts";
import { openMetrics } from "./metrics.ts";
import type { Report } from "./report.ts";
import type { Services } from "./services.ts";
import { Slots } from "./slots.ts";
import { SocketServer } from "./sockets/socket-server.ts";
import { BoundedMemo } from "./speech/bounded-memo.ts";
import { holdEngine } from "./speech/shared-engine.ts";
import { ESPEAK_VOICES } from "./voice/speech-parameters.ts";
import { Witness } from "./witness.ts";

/** With the program's package.json. */
const FOLDER = dirname(import.meta.dirname);
/** Encoded messages remembered, in bytes: about 15 minutes of speech at 24 kHz. */
const ENCODED_BYTES = 64 * 1024 * 1024;

export interface Simulator {
  /** Such as http://127.0.0.1:8016; the sockets are under the same address. */
  readonly url: string;
  readonly port: number;
  report(): Report;
  /** Forgets what was counted, and the faults ordered. */
  reset(): void;
  /** The next connections (one if not said) behave so; of `voice` only, if given. */
  setFault(fault: Fault, connections?: number, voice?: string): void;
  clearFaults(): void;
  /** Ends every socket and the speech thread. May be called twice. */
  close(): Promise<void>;
}

export async function startSimulator(config: SimulatorConfig, logger: Logger): Promise<Simulator> {
  const lifecycle = new Lifecycle(logger);
  const { engine } = lifecycle.add("speech engine", holdEngine(), ({ release }) => release(true));
  await engine.warm(ESPEAK_VOICES);
  const witness = new Witness(config.loggedConnections);
  const services: Services = {
    settings: config,
    engine,
    witness,
    keyring: new Keyring(config.apiKeys),
    faults: new FaultBoard(),
    slots: new Slots(config.concurrency, witness),
    encoded: new BoundedMemo(ENCODED_BYTES),
  };
  const build = readBuildInfo("simulator", FOLDER, config.commit);
  const routes = new HttpRoutes(services, openMetrics(services, build), build);
  const door = new Door({ boundTo: config.host });
  const refusalOf = ({ headers: { host = "", origin = "" } }: IncomingMessage) =>
    door.refusal({ host, origin });
  const server = createServer((request, response) => {
    const refusal = refusalOf(request);
    if (refusal === undefined) void routes.answer(request, response);
    else sendError(response, httpErrors.refusedAtDoor(refusal));
  });
  const sockets = new SocketServer(services);
  server.on("upgrade", (request, tcp, head) => {
    const refusal = refusalOf(request);
    if (refusal === undefined) void sockets.upgrade(request, tcp, head);
    else sockets.refuse(tcp, httpErrors.refusedAtDoor(refusal));
  });
  const address = { host: config.host, port: config.port, variable: "SIMULATOR_PORT" };
  await listenAt(server, address).catch(async (error: unknown) => {
    await lifecycle.close();
    throw error;
  });
  lifecycle.add("http server", server, async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    sockets.close();
    server.closeAllConnections();
    await closed;
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://${config.host}:${port}`;
  logger.info({ url }, "simulator is listening");
  const reset = () => {
    witness.reset();
    services.faults.clear();
  };
  return {
    url,
    port,
    report: () => witness.report(),
    reset,
    setFault: (fault, connections = 1, voice) => services.faults.order(fault, connections, voice),
    clearFaults: () => services.faults.clear(),
    close: () => lifecycle.close(),
  };
}

if (process.argv[1] === import.meta.filename) {
  const program = {
    name: "simulator",
    about:
      "A local ElevenLabs with a real voice, true timings and switchable faults; for development and tests.",
    folder: FOLDER,
    variables: simulatorEnvironment,
  };
  await runProgram(program, { argv: process.argv.slice(2), env: process.env }, async (config, logger) => {
    const simulator = await startSimulator(config, logger);
    shutDownOnSignal(async (signal) => {
      logger.info({ signal }, "simulator is closing");
      await simulator.close();
    });
    tellParent({ kind: "listening", url: simulator.url });
  });
}
