import type { Reply } from "../redis/tick-batch.ts";
import type { StreamEntry } from "./stream.ts";
import { type Place, parsePlace } from "./stream-keys.ts";

export interface ReadEntry extends StreamEntry {
  /** See `Place.bytes`. */
  readonly endBytes: number;
}

/** The value of the reply at `index`. @throws the error that Redis gave instead */
export function replyAt(replies: readonly Reply[], index: number): unknown {
  const reply = replies.at(index);
  if (reply === undefined) throw new Error("a reply is missing");
  if (reply[0] !== null) throw reply[0];
  return reply[1];
}

/** Of XRANGE as buffers: `[[id, ["h", head, "b", body]], …]`. Bodies are views into what the socket read. */
export function parseEntries(reply: unknown): ReadEntry[] {
  const rows = reply as readonly (readonly [Buffer, readonly Buffer[]])[];
  return rows.map(([id, fields]) => {
    const place = parsePlace(id.toString("latin1"));
    return {
      seq: place.seq,
      endBytes: place.bytes,
      head: fields[1]?.toString() ?? "",
      body: fields[3] ?? Buffer.alloc(0),
    };
  });
}

/** Last id of XINFO STREAM, or `undefined` where there is no such key. */
export function parseTail(reply: Reply | undefined): Place | undefined {
  if (reply === undefined || reply[0] !== null) return undefined;
  const info = reply[1] as readonly unknown[];
  const index = info.findIndex((field) => String(field) === "last-generated-id");
  return index < 0 ? undefined : parsePlace(String(info[index + 1]));
}

/** What a reader asks of the meta hash, in this order. */
export const META_FIELDS = ["life", "fence", "max", "trimmed", "endSeq", "endResult", "waiter"] as const;

export interface StreamMeta {
  readonly life: string;
  readonly fence: number;
  readonly maxBytes: number;
  readonly trimmedSeq: number;
  readonly end: { readonly lastSeq: number; readonly result: string } | undefined;
  readonly writerWaits: boolean;
  /** Last entry of the incarnation asked for, once a higher fence exists. */
  readonly seal: number | undefined;
}

/** Of HMGET meta `…META_FIELDS s:<fence>`; `undefined` where there is no stream. */
export function parseMeta(reply: unknown): StreamMeta | undefined {
  const [life, fence, max, trimmed, endSeq, endResult, waiter, seal] = reply as readonly (string | null)[];
  if (life == null) return undefined;
  return {
    life,
    fence: Number(fence),
    maxBytes: Number(max),
    trimmedSeq: Number(trimmed ?? 0),
    end: endSeq == null ? undefined : { lastSeq: Number(endSeq), result: endResult ?? "" },
    writerWaits: waiter != null,
    seal: seal == null ? undefined : Number(seal),
  };
}

/**
 * Of HGETALL meta: the last entry trimmed, and the incarnation in which the one after it is to be found;
 * `undefined` where there is no stream.
 */
export function parseOldest(
  reply: unknown,
): { readonly life: string; readonly fence: number; readonly seq: number } | undefined {
  // ioredis makes an object of it, whatever way it was asked.
  const fields = new Map(Object.entries(reply as Readonly<Record<string, string>>));
  const life = fields.get("life");
  if (life === undefined) return undefined;
  const seq = Number(fields.get("trimmed") ?? 0);
  const newest = Number(fields.get("fence"));
  let fence = 1;
  while (fence < newest && Number(fields.get(`s:${fence}`) ?? Number.POSITIVE_INFINITY) <= seq) fence += 1;
  return { life, fence, seq };
}
