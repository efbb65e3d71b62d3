import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Between an autoscaler and the programs' metrics: passes them on, or answers 503 as an adapter that knows nothing. */
export class MetricsGate {
  isShut = false;
  readonly #server = createServer(async (request, response) => {
    const from = new URL(request.url ?? "/", "http://gate").searchParams.get("from");
    const text = this.isShut || from === null ? undefined : await metricsOf(from);
    response.writeHead(text === undefined ? 503 : 200).end(text);
  });

  async open(): Promise<this> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
    return this;
  }

  /** The metrics at `url`; undefined where the answer is not 200. */
  async read(url: string): Promise<string | undefined> {
    const { port } = this.#server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/?from=${encodeURIComponent(url)}`);
    const text = await answer.text();
    return answer.ok ? text : undefined;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

async function metricsOf(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(2_000) });
    return answer.ok ? await answer.text() : undefined;
  } catch {
    return undefined;
  }
}

/** The sum of `name` over all labels; undefined where the text has no sample of it. */
export function sumOf(text: string | undefined, name: string): number | undefined {
  const values = (text ?? "").split("\n").flatMap((line) => {
    const isOf = line.startsWith(`${name} `) || line.startsWith(`${name}{`);
    return isOf ? Number(line.slice(line.lastIndexOf(" "))) : [];
  });
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}

/** How a histogram of several processes grows from one look to the next. */
export class Growth {
  readonly #name: string;
  /** A label as it stands in the text: `part="queue"`. */
  readonly #label: string;
  /** Counts up to each bound, by process. */
  readonly #known = new Map<string, ReadonlyMap<number, number>>();
  /** Of the latest looks. */
  #grown: ReadonlyMap<number, number>[] = [];
  readonly #looks: number;

  constructor(name: string, label: string, looks: number) {
    this.#name = name;
    this.#label = label;
    this.#looks = looks;
  }

  look(texts: ReadonlyMap<string, string | undefined>): void {
    const sum = new Map<number, number>();
    for (const [process, text] of texts) {
      if (text === undefined) continue;
      const counts = this.#parse(text);
      const before = this.#known.get(process);
      this.#known.set(process, counts);
      for (const [bound, count] of counts) {
        sum.set(bound, (sum.get(bound) ?? 0) + count - (before?.get(bound) ?? 0));
      }
    }
    this.#grown = [...this.#grown, sum].slice(-this.#looks);
  }

  /** The bucket's bound below which this share of what came in the latest looks lies; undefined where none came. */
  quantile(share: number): number | undefined {
    const sum = new Map<number, number>();
    for (const grown of this.#grown)
      for (const [bound, n] of grown) sum.set(bound, (sum.get(bound) ?? 0) + n);
    const bounds = [...sum.keys()].sort((a, b) => a - b);
    const all = sum.get(Number.POSITIVE_INFINITY) ?? 0;
    return all === 0 ? undefined : bounds.find((bound) => (sum.get(bound) ?? 0) >= share * all);
  }

  #parse(text: string): ReadonlyMap<number, number> {
    const lines = text
      .split("\n")
      .filter((line) => line.startsWith(`${this.#name}_bucket{`) && line.includes(this.#label));
    return new Map(
      lines.map((line) => {
        const bound = /le="([^"]+)"/.exec(line)?.[1];
        return [
          bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound),
          Number(line.slice(line.lastIndexOf(" "))),
        ];
      }),
    );
  }
}
