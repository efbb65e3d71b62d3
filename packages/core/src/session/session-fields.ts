import { GatewayError } from "@tts-labs/protocol/errors";
import type { NewSession, SessionDelivery, StoredSession, StoredUtterance } from "./session-store.ts";
import { encodeUtteranceEnd, parseFormerEnd, parseUtteranceEnd } from "./utterance-end.ts";

/**
 * A held session as a Redis hash: `about`, one `u:<number>` per utterance, and what the scripts keep for themselves.
 */
export type SessionFields = Map<string, string>;

export const ABOUT = "about";
const UTTERANCE = "u:";

interface About {
  readonly createdAtMs: number;
  readonly settings: SessionDelivery;
}

export const toSessionFields = ({ createdAtMs, settings }: NewSession): SessionFields =>
  new Map([[ABOUT, JSON.stringify({ createdAtMs, settings } satisfies About)]]);

export const toUtteranceField = (utterance: StoredUtterance): readonly [string, string] => [
  utteranceField(utterance.number),
  JSON.stringify(
    utterance.end === undefined
      ? utterance
      : { ...utterance, end: { ...utterance.end, end: encodeUtteranceEnd(utterance.end.end) } },
  ),
];

export const utteranceField = (number: number): string => `${UTTERANCE}${number}`;

/** Field and value by turns, as HGETALL gives them in a script; only those that are ours. */
export function parseFields(flat: readonly string[]): SessionFields {
  const fields: SessionFields = new Map();
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const [name = "", value = ""] = flat.slice(at, at + 2);
    if (name === ABOUT || name.startsWith(UTTERANCE)) fields.set(name, value);
  }
  return fields;
}

/** The time at which it was opened, as it is stored, and its own sample rate. */
export function bornAs(about: string | null | undefined): {
  readonly birth: string;
  readonly sampleRateHz: number | undefined;
} {
  const { createdAtMs, settings } = JSON.parse(about ?? "{}") as Partial<About>;
  return { birth: String(createdAtMs ?? ""), sampleRateHz: settings?.sampleRateHz };
}

/** How it ended stands there as it is, or as the message that an edge of the release before had sent. */
function parseUtterance(value: string): StoredUtterance {
  const { end: stored, ...utterance } = JSON.parse(value) as FoundUtterance;
  if (stored === undefined) return utterance;
  const { samples, isTextOpen } = stored;
  const end = stored.end === undefined ? parseFormerEnd(stored.message) : parseUtteranceEnd(stored.end);
  return { ...utterance, end: { samples, isTextOpen, end } };
}

type FoundUtterance = Omit<StoredUtterance, "end"> & {
  readonly end?: {
    readonly samples: number;
    readonly isTextOpen: boolean;
    readonly end?: unknown;
    readonly message?: unknown;
  };
};

/** @throws GatewayError `session.unknown` where what is stored can't be read */
export function parseSession(sessionId: string, fields: SessionFields): StoredSession {
  try {
    const { createdAtMs, settings: stored } = JSON.parse(fields.get(ABOUT) ?? "") as About;
    // An edge of an older version has stored none.
    const settings = { ...stored, sentenceCache: stored.sentenceCache ?? false };
    const utterances = [...fields]
      .filter(([name]) => name.startsWith(UTTERANCE))
      .map(([, value]) => parseUtterance(value))
      .sort((a, b) => a.number - b.number);
    return { sessionId, createdAtMs, settings, utterances };
  } catch (cause) {
    throw new GatewayError("session.unknown", "What is stored of the session can't be read.", { cause });
  }
}
