import type { HttpExchange } from "@tts-labs/edge/http/exchange";

/** An HTTP exchange in memory: what is written to it, as the client takes it. */
export class FakeExchange {
  readonly requestId = "req";
  isOpen = true;
  /** Whether the client's socket takes more after the next write. */
  takes = true;
  status: number | undefined;
  body = "";
  isEnded = false;
  readonly errors: string[] = [];
  #onWritable: () => boolean = () => true;
  readonly #onGone: (() => void)[] = [];

  get exchange(): HttpExchange {
    return this as unknown as HttpExchange;
  }

  readonly response = {
    cork: (act: () => void) => act(),
    write: (part: string | Uint8Array) => {
      this.body += typeof part === "string" ? part : Buffer.from(part).toString("latin1");
      return this.takes;
    },
    end: () => {
      this.isEnded = true;
    },
    onWritable: (act: () => boolean) => {
      this.#onWritable = act;
    },
  };

  onGone(act: () => void): void {
    this.#onGone.push(act);
  }

  writeHead(status: number): void {
    this.status = status;
  }

  markAnswered(): void {
    this.isOpen = false;
  }

  answerError(error: { readonly code: string; readonly message: string }): void {
    this.isOpen = false;
    this.errors.push(`${error.code}: ${error.message}`);
  }

  abort(): void {
    this.isOpen = false;
    this.errors.push("aborted");
  }

  /** The client takes what was written; with `takesOn` all that follows as well. */
  drain(takesOn: boolean): void {
    this.takes = takesOn;
    this.#onWritable();
  }

  /** The client goes away. */
  leave(): void {
    this.isOpen = false;
    for (const act of this.#onGone) act();
  }
}
