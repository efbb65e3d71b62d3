import type { Alignment } from "@tts-labs/core/audio/alignment";

/**
 * The wire of `stream-input` (reference/elevenlabs.md 1.3 and 1.4): what the provider sends is parsed
 * without trust, what we send is encoded here and nowhere else.
 */
export type ProviderMessage =
  | {
      readonly kind: "error";
      /** The provider's name for it, such as `invalid_api_key`; empty where it gives none. */
      readonly error: string;
      readonly text: string;
    }
  | {
      readonly kind: "speech";
      /** As sent: possibly empty, possibly an odd number of bytes. */
      readonly audio: Buffer;
      /** On the clock of the provider's segment. */
      readonly alignment?: SegmentAlignment;
      readonly final: boolean;
    }
  | { readonly kind: "ignored"; readonly reason: IgnoredReason };

export interface SegmentAlignment extends Alignment {
  /** Characters of the text as sent; otherwise of the text as spoken, numbers expanded. */
  readonly verbatim: boolean;
}

/** Why a message was passed over; a closed set, counted. */
export const IGNORED_REASONS = ["binary", "not_json", "not_an_object", "bad_audio", "unknown"] as const;
export type IgnoredReason = (typeof IGNORED_REASONS)[number];

const NO_AUDIO = Buffer.alloc(0);
const ignored = (reason: IgnoredReason): ProviderMessage => ({ kind: "ignored", reason });

/** Never throws, whatever the provider sends. */
export function parseProviderMessage(data: Buffer, binary: boolean): ProviderMessage {
  if (binary) return ignored("binary");
  let message: unknown;
  try {
    message = JSON.parse(data.toString("utf8"));
  } catch {
    return ignored("not_json");
  }
  if (!isRecord(message)) return ignored("not_an_object");
  return parseError(message) ?? parseSpeech(message);
}

/** The error field is looked at first. Some errors come without a code, some without a name, some in the form of HTTP bodies. */
function parseError(message: Record<string, unknown>): ProviderMessage | undefined {
  const error = message["error"] ?? message["detail"];
  if (error !== undefined && error !== null && error !== false) return toErrorMessage(error, message);
  const unnamed = typeof message["code"] === "number" && typeof message["message"] === "string";
  return unnamed ? toErrorMessage("", message) : undefined;
}

/** From `{error, message}` on a socket, or `{detail: {code, status, message}}` of HTTP (reference/elevenlabs.md 3.3). */
export function toErrorMessage(
  error: unknown,
  around: Record<string, unknown> = {},
): Extract<ProviderMessage, { kind: "error" }> {
  const text = textOf(around["message"]);
  if (typeof error === "string") return { kind: "error", error, text };
  if (Array.isArray(error)) return { kind: "error", error: "validation_error", text: textOf(error[0]?.msg) };
  if (!isRecord(error)) return { kind: "error", error: "", text };
  const name = textOf(error["code"]) || textOf(error["status"]) || textOf(error["type"]);
  return { kind: "error", error: name, text: textOf(error["message"]) || text };
}

function parseSpeech(message: Record<string, unknown>): ProviderMessage {
  const final = message["isFinal"] === true || message["is_final"] === true;
  const base64 = message["audio"] ?? "";
  if (typeof base64 !== "string") return ignored("bad_audio");
  const alignment =
    parseAlignment(message["alignment"], true) ??
    parseAlignment(message["normalizedAlignment"] ?? message["normalized_alignment"], false);
  const known = final || alignment !== undefined || "audio" in message;
  if (!known) return ignored("unknown");
  const audio = base64 === "" ? NO_AUDIO : Buffer.from(base64, "base64");
  if (base64 !== "" && audio.length === 0) return ignored("bad_audio");
  return { kind: "speech", audio, final, ...(alignment === undefined ? {} : { alignment }) };
}

/** Both spellings of durations and both casings have been seen in the wild (reference/elevenlabs.md 1.4). */
function parseAlignment(value: unknown, verbatim: boolean): SegmentAlignment | undefined {
  if (!isRecord(value)) return undefined;
  const chars = value["chars"] ?? value["characters"];
  const startMs = value["charStartTimesMs"] ?? value["charsStartTimesMs"] ?? value["char_start_times_ms"];
  const durationMs = value["charDurationsMs"] ?? value["charsDurationsMs"] ?? value["char_durations_ms"];
  if (!isArrayOf(chars, isString) || !isArrayOf(startMs, isTime) || !isArrayOf(durationMs, isTime)) {
    return undefined;
  }
  const sameLength = chars.length === startMs.length && chars.length === durationMs.length;
  return sameLength && chars.length > 0 ? { chars, startMs, durationMs, verbatim } : undefined;
}

/** @throws RangeError for empty text: that is the end mark, and would end the utterance */
export function encodeText(text: string): string {
  if (text === "") throw new RangeError("empty text is the provider's end mark");
  return JSON.stringify({ text });
}

/**
 * "Speak what you have", with the socket staying open. `space` is white space to go with it: with an empty
 * text this message is ambiguous, it may count as the end (reference/elevenlabs.md 1.3).
 */
export function encodeFlush(space = " "): string {
  if (space === "") throw new RangeError("a flush without text may be taken for the end");
  return JSON.stringify({ text: space, flush: true });
}

/** The form of the end that was seen to work on the wire: a flush where text is waiting, then the end mark. */
export function encodeEnd(textWaiting: boolean): readonly string[] {
  const endMark = JSON.stringify({ text: "" });
  return textWaiting ? [JSON.stringify({ text: "", flush: true }), endMark] : [endMark];
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isString = (value: unknown): value is string => typeof value === "string";
const isTime = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0;
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

function isArrayOf<T>(value: unknown, is: (item: unknown) => item is T): value is T[] {
  return Array.isArray(value) && value.every(is);
}
