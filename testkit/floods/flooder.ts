import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { FLOODS, type Flood, UPGRADE } from "./flood-kinds.ts";

/**
 * A load generator, for a process of its own: floods one edge and says as one line of JSON what became of it.
 * `node flooder.ts <port> <name of the flood> <seconds>`
 */
export interface FloodResult {
  /** Bytes that the network has taken. */
  readonly sentBytes: number;
  /** Connections made. */
  readonly connections: number;
  /** When the edge ended the (first) connection; absent where it never did. */
  readonly endedAfterMs?: number;
  readonly closeCode?: number;
  /** Of HTTP answers, by status. */
  readonly statuses: Readonly<Record<string, number>>;
}

const LUMP_BYTES = 256 * 1_024;
const AT_A_TIME = 8;
const SLOW_CONNECTIONS = 100;

class Flooder {
  readonly #port: number;
  readonly #untilMs: number;
  readonly #beganAtMs = performance.now();
  #sentBytes = 0;
  #connections = 0;
  #endedAfterMs: number | undefined;
  #closeCode: number | undefined;
  readonly #statuses: Record<string, number> = {};

  constructor(port: number, seconds: number) {
    this.#port = port;
    this.#untilMs = this.#beganAtMs + seconds * 1_000;
  }

  async run(flood: Flood): Promise<FloodResult> {
    if (flood.kind === "frames") await this.#repeat(flood.frame, UPGRADE, flood.first);
    else if (flood.kind === "requests") await this.#repeat(Buffer.from(flood.request), "");
    else if (flood.kind === "endless-body") await this.#repeat(Buffer.alloc(LUMP_BYTES, "x"), flood.head);
    else if (flood.kind === "slow-bodies") await this.#drip(flood.head);
    else await this.#reconnect(flood.said, flood.holdMs);
    return {
      sentBytes: this.#sentBytes,
      connections: this.#connections,
      ...(this.#endedAfterMs === undefined ? {} : { endedAfterMs: Math.round(this.#endedAfterMs) }),
      ...(this.#closeCode === undefined ? {} : { closeCode: this.#closeCode }),
      statuses: this.#statuses,
    };
  }

  get #isOver(): boolean {
    return performance.now() >= this.#untilMs;
  }

  async #repeat(piece: Buffer, before: string, first?: Buffer): Promise<void> {
    const lump = Buffer.concat(Array.from({ length: Math.ceil(LUMP_BYTES / piece.length) }, () => piece));
    const socket = await this.#connect();
    if (before !== "") socket.write(before);
    if (before === UPGRADE)
      await Promise.race([new Promise((resolve) => socket.once("data", resolve)), sleep(2_000)]);
    if (first !== undefined) socket.write(first);
    while (!this.#isOver && !socket.destroyed && this.#endedAfterMs === undefined) {
      const isTaken = socket.write(lump);
      this.#sentBytes += lump.length;
      if (isTaken) await new Promise(setImmediate);
      else await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), sleep(100)]);
    }
    this.#sentBytes -= socket.writableLength;
    socket.destroy();
  }

  async #drip(head: string): Promise<void> {
    const sockets = await Promise.all(Array.from({ length: SLOW_CONNECTIONS }, () => this.#connect()));
    for (const socket of sockets) socket.write(head);
    while (!this.#isOver) {
      for (const socket of sockets) if (!socket.destroyed) socket.write("x");
      await sleep(100);
    }
    for (const socket of sockets) socket.destroy();
  }

  async #reconnect(said: Buffer, holdMs: number): Promise<void> {
    const one = async () => {
      while (!this.#isOver) {
        const socket = await this.#connect().catch(() => undefined);
        if (socket === undefined) {
          await sleep(10);
          continue;
        }
        await new Promise((resolve) => socket.write(said, resolve));
        this.#sentBytes += said.length;
        await sleep(holdMs);
        socket.destroy();
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, one));
  }

  async #connect(): Promise<Socket> {
    const socket = connect(this.#port, "127.0.0.1");
    this.#connections++;
    socket.on("data", (data) => this.#hear(data));
    socket.setMaxListeners(0);
    socket.on("error", () => {});
    socket.on("close", () => {
      if (!this.#isOver) this.#endedAfterMs ??= performance.now() - this.#beganAtMs;
    });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return socket;
  }

  /** Close codes and statuses, as far as one packet shows them. */
  #hear(data: Buffer): void {
    const close = data.lastIndexOf(Buffer.from([0x88]));
    if (close >= 0 && close + 4 <= data.length && data.length - close === 2 + (data[close + 1] ?? 0)) {
      this.#closeCode = data.readUInt16BE(close + 2);
    }
    for (const [, status = ""] of data.toString("latin1").matchAll(/HTTP\/1\.1 (\d{3})/g)) {
      this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
    }
  }
}

if (process.argv[1] === import.meta.filename) {
  const [, , port, name = "", seconds] = process.argv;
  const flood = FLOODS[name];
  if (flood === undefined) throw new RangeError(`there is no flood "${name}"`);
  const result = await new Flooder(Number(port), Number(seconds)).run(flood);
  process.stdout.write(`${JSON.stringify(result)}\n`);
  process.exit(0);
}
