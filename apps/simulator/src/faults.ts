/**
 * The switchboard of misbehaviour: reference/elevenlabs.md 8.3 and what clients have reported (sections 1.7,
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
  "error-mid-stream": "After afterMs of audio, else the first piece: error something_went_wrong, close 1008.",
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
  "odd-pcm": "Pieces of 16-bit audio have odd byte counts; their sum is right.",
  "huge-message": "The first audio message is longer than 1 MiB, by a field nobody knows.",
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
}

/** What the numbers behind a fault's name mean, in order. Faults not listed take none. */
const PARAMETERS: Partial<Record<FaultName, readonly ("afterMs" | "forMs")[]>> = {
  "drop-after-audio": ["afterMs"],
  "stall-before-audio": ["forMs"],
  "stall-mid-segment": ["afterMs", "forMs"],
  "error-mid-stream": ["afterMs"],
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
  const [name = "", ...numbers] = written.split(/[:_]/);
  if (!isFaultName(name)) return undefined;
  const parameters = PARAMETERS[name] ?? [];
  if (numbers.length > parameters.length) return undefined;
  const given: { afterMs?: number; forMs?: number } = {};
  for (const [i, number] of numbers.entries()) {
    const parameter = parameters[i];
    const ms = Number(number);
    if (parameter === undefined || !/^\d+$/.test(number) || ms > MAX_FAULT_MS) return undefined;
    given[parameter] = ms;
  }
  return { name, ...given };
}

/** How long `fault` lasts, if it is one that lasts. */
export const faultDurationMs = (fault: Fault): number => fault.forMs ?? DEFAULT_FOR_MS[fault.name] ?? 0;
