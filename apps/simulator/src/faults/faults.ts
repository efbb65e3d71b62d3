import { ERROR_NAME_FORM } from "./error-names.ts";

/**
 * The switchboard of misbehaviour: docs/elevenlabs.md 8.3 and what clients have reported (sections 1.7,
 * 2.3 and 5). A fault is chosen per connection: `<voice>_fault_<name>`, header `x-simulator-fault`, or for the
 * next connections by POST /admin/faults.
 */
export const FAULTS = {
  "drop-before-audio": "The TCP connection ends without a close frame (1006) when the first audio is due.",
  "drop-after-audio":
    "The TCP connection ends without a close frame (1006) after afterMs of audio, else after the first piece.",
  "stall-before-audio": "Nothing is sent for forMs when the first audio is due; then all goes on.",
  "stall-mid-segment":
    "Nothing is sent for forMs after afterMs of audio, else after the first piece; then all goes on.",
  "error-mid-stream":
    "After afterMs of audio, else the first piece: error errorName, else something_went_wrong, close 1008.",
  "opening-error": "Error errorName, else one without a name, close 1008, as early as for an unknown voice.",
  "named-error": "Error errorName, else one without a name, close 1008, when the first audio is due.",
  "upgrade-error": "The upgrade (or request) is refused with errorName, in the form of its HTTP answer.",
  "quota-error": "Error quota_exceeded, close 1008, when the first audio is due.",
  "quota-silence": "Nothing is spoken, no error: the final message comes without one sample.",
  "idle-kill-at-checkout":
    "The first text after the opening meets a socket that was just closed for idleness: error and close 1008.",
  "empty-audio": "Each audio message is preceded by one whose audio is the empty string.",
  "final-false": "isFinal is false instead of null on audio messages.",
  "final-absent": "Audio messages have no isFinal.",
  "final-missing": "The final message never comes; close 1000 after forMs (the usual delay if not given).",
  "alignment-null": "Both alignments are null throughout.",
  "alignment-odd-spelling": "Alignments are spelt charsStartTimesMs and charsDurationsMs.",
  "alignment-long": "Each alignment ends byMs (120) after its time.",
  "alignment-short": "Each alignment ends byMs (120) before its time.",
  "alignment-gaps": "Every fifth character is missing from alignments, white space excepted.",
  "alignment-merged": "Six characters stand in one item of chars.",
  "alignment-twice":
    "alignment comes in part, then whole from its start, while normalizedAlignment goes on (dictionaries).",
  "alignment-huge": "The first alignment goes on for 400,000 characters that nobody sent.",
  "odd-pcm": "Pieces of 16-bit audio have odd byte counts; their sum is right.",
  "huge-message": "The first audio message is longer than 1 MiB, by a field nobody knows.",
  "endless-audio": "The first generation is repeated without end; no final message.",
  "wrong-codec": "Audio is MP3, whatever was asked for.",
  "wrong-rate": "Audio is PCM of 16 kHz (8 kHz where that was asked for), whatever was asked for.",
  "binary-audio": "Audio comes in binary frames, without JSON.",
  "empty-error": "Each audio message has an error that is the empty string.",
  "byte-order-mark": "Each audio message begins with a byte order mark.",
  "close-with-words": "Close 1011 with a reason in words and no error message, when the first audio is due.",
  "non-json": "A text frame that is not JSON comes before the first audio.",
  "slow-upgrade": "The upgrade takes forMs longer.",
  "upgrade-429": "The upgrade (or request) is refused with 429.",
  "upgrade-500": "The upgrade (or request) is refused with 500.",
  "upgrade-503": "The upgrade (or request) is refused with 503.",
  "late-audio-after-close": "Audio that nobody waits for follows the final message, until the close.",
  "unknown-messages": "Messages of unknown kinds come between those of audio.",
  "slow-close": "The close frame comes forMs after the final message.",
  "text-after-eos-error": "Text after the end is answered by an error and close 1008, not ignored.",
  "eos-flush-ambiguous": 'An empty text with flush (`{"text":"","flush":true}`) is taken as the end.',
  "voices-many": "Lists of voices have 250 voices more.",
  "voices-bomb": "Lists of voices are 1 GiB of white space, packed into 1 MiB by gzip.",
  "flush-close-race":
    "multi-stream-input: a close_context before the flushed audio has begun loses it: final without audio.",
} as const satisfies Record<string, string>;

export type FaultName = keyof typeof FAULTS;

export interface Fault {
  readonly name: FaultName;
  /** Milliseconds of audio after which it strikes. */
  readonly afterMs?: number;
  /** How long it lasts, in ms. Not scaled by SIMULATOR_TIME_SCALE. */
  readonly forMs?: number;
  /** By how much it is off, in ms. */
  readonly byMs?: number;
  /** The service's name for an error (error-names.ts), or an unknown one. */
  readonly errorName?: string;
}

type Parameter = "afterMs" | "forMs" | "byMs" | "errorName";

/** What stands behind a fault's name, in order; an error's name comes last. Faults not listed take nothing. */
const PARAMETERS: Partial<Record<FaultName, readonly Parameter[]>> = {
  "drop-after-audio": ["afterMs"],
  "stall-before-audio": ["forMs"],
  "stall-mid-segment": ["afterMs", "forMs"],
  "error-mid-stream": ["afterMs", "errorName"],
  "opening-error": ["errorName"],
  "named-error": ["errorName"],
  "upgrade-error": ["errorName"],
  "alignment-long": ["byMs"],
  "alignment-short": ["byMs"],
  "final-missing": ["forMs"],
  "slow-upgrade": ["forMs"],
  "slow-close": ["forMs"],
};

/** Longest stall: every wait ends. */
export const MAX_FAULT_MS = 600_000;

export const DEFAULT_FOR_MS: Partial<Record<FaultName, number>> = {
  "stall-before-audio": 60_000,
  "stall-mid-segment": 60_000,
  "slow-upgrade": 3_000,
  "slow-close": 5_000,
};

export const isFaultName = (name: string): name is FaultName => Object.hasOwn(FAULTS, name);

/** `name`, `name:500` or `name:500:2000`; in a voice's id `_` stands for `:`. Undefined if it is none. */
export function parseFault(written: string): Fault | undefined {
  const [name = "", ...values] = written.split(/[:_]/);
  if (!isFaultName(name)) return undefined;
  const given: { -readonly [P in Parameter]?: Fault[P] } = {};
  for (const parameter of PARAMETERS[name] ?? []) {
    if (values.length === 0) break;
    if (parameter === "errorName") {
      // The name's own underscores were taken for separators.
      given.errorName = values.splice(0).join("_");
      if (!ERROR_NAME_FORM.test(given.errorName)) return undefined;
    } else {
      const number = values.shift() ?? "";
      if (!/^\d+$/.test(number) || Number(number) > MAX_FAULT_MS) return undefined;
      given[parameter] = Number(number);
    }
  }
  return values.length > 0 ? undefined : { name, ...given };
}

/** Whether it is about lists of voices, and so no affair of those who speak. */
export const isListingFault = (name: FaultName): boolean => name === "voices-many" || name === "voices-bomb";

/** How long `fault` lasts, if it is one that lasts. */
export const faultDurationMs = (fault: Fault): number => fault.forMs ?? DEFAULT_FOR_MS[fault.name] ?? 0;
