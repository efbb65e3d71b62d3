import { parseAudioFrame } from "@tts-labs/protocol/audio-frame";
import { type ListenMessage, listenMessageSchemas } from "@tts-labs/protocol/listen-message";
import { WebSocket } from "ws";

export interface HeardUtterance {
  /** Number of the first sample that was heard. */
  readonly firstSample: number;
  readonly pcm: Buffer;
}

/**
 * A listener that trusts no message: each is held against its schema, and each utterance's samples must follow each
 * other, but for announced drops. What breaks a rule stands in `violations`.
 */
export class ListeningClient {
  readonly messages: ListenMessage[] = [];
  readonly violations: string[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly socket: WebSocket;
  readonly #parts = new Map<number, { firstSample: number; nextSample: number; parts: Buffer[] }>();
  readonly #watchers = new Set<() => void>();
  #isClosed = false;

  /** Resolves when the socket is open; whether the listener is let in, `until` tells. */
  static async connect(
    url: string,
    query: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ListeningClient> {
    const address = new URL("/api/v1/listen", url.replace(/^http/, "ws"));
    for (const [key, value] of Object.entries(query)) address.searchParams.set(key, value);
    const socket = new WebSocket(address, { headers });
    const client = new ListeningClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    return client;
  }

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#onFrame(data);
      else this.#onMessage(data);
      for (const watcher of this.#watchers) watcher();
    });
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.once("close", (code, reason) => {
        this.#isClosed = true;
        resolve({ code, reason: reason.toString() });
        for (const watcher of this.#watchers) watcher();
      });
    });
  }

  heard(utterance: number): HeardUtterance | undefined {
    const heard = this.#parts.get(utterance);
    return heard && { firstSample: heard.firstSample, pcm: Buffer.concat(heard.parts) };
  }

  /** The place after the last sample of the newest utterance, to be shown as `from`. */
  get position(): string {
    const utterance = Math.max(...this.#parts.keys());
    return `${utterance}:${this.#parts.get(utterance)?.nextSample ?? 0}`;
  }

  until(condition: (client: ListeningClient) => boolean, limitMs = 10_000): Promise<void> {
    if (condition(this)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => finish(new Error(`waited in vain: ${this.#state()}`)), limitMs);
      const finish = (error?: Error) => {
        clearTimeout(timer);
        this.#watchers.delete(watch);
        if (error === undefined) resolve();
        else reject(error);
      };
      const watch = () => {
        if (condition(this)) finish();
        else if (this.#isClosed) finish(new Error(`closed meanwhile: ${this.#state()}`));
      };
      this.#watchers.add(watch);
    });
  }

  has(type: ListenMessage["type"]): boolean {
    return this.messages.some((message) => message.type === type);
  }

  hasEnded(utterance: number): boolean {
    return this.messages.some((it) => it.type === "utterance_ended" && it.utterance === utterance);
  }

  /** Goes without a word, as a network does. */
  cut(): void {
    this.socket.terminate();
  }

  #onMessage(data: Buffer): void {
    const message = JSON.parse(data.toString()) as ListenMessage;
    const schema = listenMessageSchemas[message.type];
    if (schema === undefined || !schema.safeParse(message).success) this.violations.push(data.toString());
    this.messages.push(message);
    if (message.type !== "frames_dropped") return;
    const heard = this.#parts.get(message.utterance);
    if (heard !== undefined) heard.nextSample += message.samples;
  }

  #onFrame(data: Buffer): void {
    const { utterance, firstSample, payload } = parseAudioFrame(data);
    const heard = this.#parts.get(utterance) ?? { firstSample, nextSample: firstSample, parts: [] };
    this.#parts.set(utterance, heard);
    if (firstSample !== heard.nextSample) {
      this.violations.push(`utterance ${utterance}: ${firstSample} follows ${heard.nextSample}`);
    }
    heard.nextSample = firstSample + payload.byteLength / 2;
    heard.parts.push(Buffer.from(payload));
  }

  #state(): string {
    return JSON.stringify({ messages: this.messages, violations: this.violations });
  }
}
