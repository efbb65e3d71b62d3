import { silentLogger } from "@tts-labs/core/logger";
import { defaultSimulatorConfig } from "@tts-labs/simulator/config";
import { type Simulator, startSimulator } from "@tts-labs/simulator/main";
import type { SpokenMessage } from "@tts-labs/simulator/voice/render";
import { afterAll, beforeAll, beforeEach, expect, vi } from "vitest";
import { FLASH, GRACE, ProviderClient, socketUrl } from "./provider-client.ts";

export interface SocketOptions {
  readonly route?: "stream-input" | "multi-stream-input";
  readonly query?: string;
  readonly voice?: string;
  readonly headers?: Record<string, string>;
}

/** A simulator that answers at once, for the tests of one file; each of them finds it without connections or memory. */
export class SimulatorForFile {
  #simulator: Simulator | undefined;

  constructor() {
    beforeAll(async () => {
      this.#simulator = await startSimulator(defaultSimulatorConfig({ port: 0, timeScale: 0 }), silentLogger);
    });
    beforeEach(async () => {
      await this.allClosed();
      this.#running.reset();
    });
    afterAll(() => this.#simulator?.close());
  }

  get url(): string {
    return this.#running.url;
  }

  report(): ReturnType<Simulator["report"]> {
    return this.#running.report();
  }

  /** The simulator learns of a close a moment after its client. */
  async allClosed(): Promise<void> {
    await vi.waitFor(() => expect(this.report().connections.open).toBe(0));
  }

  async open({ route, query = FLASH, voice = GRACE, headers }: SocketOptions = {}): Promise<ProviderClient> {
    const client = new ProviderClient(socketUrl(this.url, voice, query, route), headers);
    await client.opened;
    return client;
  }

  /** Says all of it at once on a stream-input socket, and hears it out. */
  async converse(query: string, ...messages: readonly SpokenMessage[]): Promise<ProviderClient> {
    const client = await this.open({ query });
    client.send(...messages);
    await client.closed;
    return client;
  }

  get #running(): Simulator {
    if (this.#simulator === undefined) throw new Error("the simulator runs only during tests");
    return this.#simulator;
  }
}

export const errorOf = (client: ProviderClient): unknown => client.errors[0]?.json?.["error"];
