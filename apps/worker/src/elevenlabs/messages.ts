import { type AlignmentDoubt, parseAlignment, type SegmentAlignment } from "./intake/provider-alignment.ts";

/**
 * The wire of `stream-input` (docs/elevenlabs.md 1.3 and 1.4): what the provider sends is parsed
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

/** Why a message was passed over; a closed set, counted. */
export const IGNORED_REASONS = [
  "binary",
  "not_json",
  "not_an_object",
  "too_many_values",
  "bad_audio",
  "unknown",
] as const;
export type IgnoredReason = (typeof IGNORED_REASONS)[number];

/** Values in one message: six lists for the longest text of an utterance. More are not parsed. */
const MAX_VALUES = 250_000;
/** A provider's words about an error are kept up to here. */
const MAX_ERROR_TEXT = 2_000;

const NO_AUDIO = Buffer.alloc(0);
const UNDOUBTED: AlignmentDoubt = {
  maxCharacters: Number.POSITIVE_INFINITY,
  maxMs: Number.POSITIVE_INFINITY,
  refused: () => {},
};
/** Drops a byte order mark. */
const utf8 = new TextDecoder();
const ignored = (reason: IgnoredReason): ProviderMessage => ({ kind: "ignored", reason });

/** Never throws, whatever the provider sends. */
export function parseProviderMessage(data: Buffer, binary: boolean, doubt = UNDOUBTED): ProviderMessage {
  if (binary) return ignored("binary");
  let message: unknown;
  try {
    const json = hasTooManyValues(data) ? withoutLists(data, doubt) : utf8.decode(data);
    if (json === undefined) return ignored("too_many_values");
    message = JSON.parse(json);
  } catch {
    return ignored("not_json");
  }
  if (!isRecord(message)) return ignored("not_an_object");
  return parseError(message) ?? parseSpeech(message, doubt);
}

/** Parsing costs time and memory for each value rather than each byte. Base64 holds no commas and no brackets. */
function hasTooManyValues(data: Buffer): boolean {
  if (data.length < MAX_VALUES) return false;
  let values = 0;
  for (let at = 0; at < data.length; at++) {
    const byte = data[at];
    if (byte !== COMMA && byte !== OPENING_BRACKET && byte !== OPENING_BRACE) continue;
    values += 1;
    if (values > MAX_VALUES) return true;
  }
  return false;
}

const [COMMA, OPENING_BRACKET, OPENING_BRACE] = [0x2c, 0x5b, 0x7b];

/**
 * Of a message whose lists are too long to be parsed: its audio, and whether it is the last. `undefined` without audio.
 */
function withoutLists(data: Buffer, { refused }: AlignmentDoubt): string | undefined {
  const key = data.indexOf('"audio"');
  const begin = data.indexOf('"', key + '"audio"'.length);
  const end = data.indexOf('"', begin + 1);
  if (
    key < 0 ||
    end < 0 ||
    !/^"audio"\s{0,8}:\s{0,8}$/.test(data.toString("latin1", key, Math.min(begin, key + 32)))
  ) {
    return undefined;
  }
  refused("too_long");
  const final = data.includes('"isFinal":true') || data.includes('"isFinal": true');
  return `{"audio":${data.toString("latin1", begin, end + 1)},"isFinal":${final}}`;
}

/**
 * The error field is looked at first. Some errors come without a code, some without a name, some in the form of HTTP
 * bodies.
 */
function parseError(message: Record<string, unknown>): ProviderMessage | undefined {
  const error = [message["error"], message["detail"]].find((it) => !saysNothing(it));
  if (error !== undefined) return toErrorMessage(error, message);
  const unnamed = typeof message["code"] === "number" && typeof message["message"] === "string";
  return unnamed ? toErrorMessage("", message) : undefined;
}

/** Some put an empty error beside their audio. */
const saysNothing = (error: unknown): boolean =>
  error === undefined ||
  error === null ||
  error === false ||
  error === 0 ||
  error === "" ||
  (typeof error === "object" && Object.keys(error).length === 0);

/** From `{error, message}` on a socket, or `{detail: {code, status, message}}` of HTTP (docs/elevenlabs.md 3.3). */
export function toErrorMessage(
  error: unknown,
  around: Record<string, unknown> = {},
): Extract<ProviderMessage, { kind: "error" }> {
  const text = textOf(around["message"]);
  if (typeof error === "string") return { kind: "error", error: textOf(error), text };
  if (Array.isArray(error)) return { kind: "error", error: "validation_error", text: textOf(error[0]?.msg) };
  if (!isRecord(error)) return { kind: "error", error: "", text };
  const name = textOf(error["code"]) || textOf(error["status"]) || textOf(error["type"]);
  return { kind: "error", error: name, text: textOf(error["message"]) || text };
}

function parseSpeech(message: Record<string, unknown>, doubt: AlignmentDoubt): ProviderMessage {
  const final = message["isFinal"] === true || message["is_final"] === true;
  const base64 = message["audio"] ?? "";
  if (typeof base64 !== "string") return ignored("bad_audio");
  const alignment =
    parseAlignment(message["alignment"], true, doubt) ??
    parseAlignment(message["normalizedAlignment"] ?? message["normalized_alignment"], false, doubt);
  const known = final || alignment !== undefined || "audio" in message;
  if (!known) return ignored("unknown");
  const audio = base64 === "" ? NO_AUDIO : Buffer.from(base64, "base64");
  if (base64 !== "" && audio.length === 0) return ignored("bad_audio");
  return { kind: "speech", audio, final, ...(alignment === undefined ? {} : { alignment }) };
}

/** @throws RangeError for empty text: that is the end mark, and would end the utterance */
export function encodeText(text: string): string {
  if (text === "") throw new RangeError("empty text is the provider's end mark");
  return JSON.stringify({ text });
}

/**
 * "Speak what you have", with the socket staying open. `space` is white space to go with it: with an empty
 * text this message is ambiguous, it may count as the end (docs/elevenlabs.md 1.3).
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
const textOf = (value: unknown): string => (typeof value === "string" ? value.slice(0, MAX_ERROR_TEXT) : "");
