import { addOne, type ConnectionLog, type LoggedMessage, type Totals, type Violation } from "../report.ts";

/** Messages remembered per connection, and characters of each. */
const MAX_MESSAGES = 500;
const MAX_TEXT_CHARACTERS = 2_000;

/** The witness of one connection: counts for all, and its own log. */
export class ConnectionWitness {
  readonly log: ConnectionLog;
  readonly #all: { readonly counts: () => Totals; readonly closed: () => void };
  readonly #sinceMs = performance.now();

  constructor(log: ConnectionLog, all: { readonly counts: () => Totals; readonly closed: () => void }) {
    this.log = log;
    this.#all = all;
  }

  received(message: Omit<LoggedMessage, "atMs" | "from">): void {
    this.#note({ from: "client", ...message });
  }

  sent(message: Omit<LoggedMessage, "atMs" | "from">): void {
    this.#note({ from: "server", ...message });
    if (message.audioBytes !== undefined) {
      this.log.audioBytes += message.audioBytes;
      this.#all.counts().audioBytes += message.audioBytes;
    }
    if (message.final === true) this.#all.counts().finals++;
    if (message.error !== undefined) addOne(this.#all.counts().errors, message.error);
  }

  opening(): void {
    this.log.openings++;
    this.#all.counts().openings++;
  }

  text(characters: number): void {
    this.log.texts++;
    this.log.characters += characters;
    this.#all.counts().texts++;
    this.#all.counts().characters += characters;
  }

  keepAlive(): void {
    this.#all.counts().keepAlives++;
  }

  flush(): void {
    this.log.flushes++;
    this.#all.counts().flushes++;
  }

  end(): void {
    this.log.ends++;
    this.#all.counts().ends++;
  }

  generation(): void {
    this.log.generations++;
    this.#all.counts().generations++;
  }

  violation(kind: Violation): void {
    this.log.violations.push(kind);
    addOne(this.#all.counts().violations, kind);
  }

  /** @param unended text was taken, and neither an end nor an error of ours followed */
  closed(code: number, reason: string, unended: boolean): void {
    if (this.log.closed !== undefined) return;
    this.log.closed = { code, reason, atMs: performance.now() - this.#sinceMs };
    addOne(this.#all.counts().closes, code);
    if (unended) this.#all.counts().closedWithoutEnd++;
    this.#all.closed();
  }

  #note(message: Omit<LoggedMessage, "atMs">): void {
    if (this.log.messages.length >= MAX_MESSAGES) {
      this.log.messages.shift();
      this.log.messagesForgotten++;
    }
    this.log.messages.push({
      atMs: Math.round(performance.now() - this.#sinceMs),
      ...message,
      ...(message.text === undefined ? {} : { text: message.text.slice(0, MAX_TEXT_CHARACTERS) }),
    });
  }
}
