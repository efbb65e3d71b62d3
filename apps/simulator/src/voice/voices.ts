import { parseFault } from "../faults/faults.ts";

/** The simulator's cast. Ids are 20 characters, as the real ones are. */
export interface Voice {
  readonly voiceId: string;
  readonly name: string;
  /** ISO 639-1 code of the language it speaks by default. */
  readonly language: string;
  readonly accent: string;
  readonly gender: "female" | "male";
  readonly description: string;
  /** espeak's variant: the timbre. */
  readonly variant: string;
  readonly pitch: number;
}

export const VOICES: readonly Voice[] = [
  {
    voiceId: "simEnglishGrace0000A",
    name: "Grace",
    language: "en",
    accent: "american",
    gender: "female",
    description: "calm, clear",
    variant: "f3",
    pitch: 52,
  },
  {
    voiceId: "simEnglishHenry0000A",
    name: "Henry",
    language: "en",
    accent: "british",
    gender: "male",
    description: "deep, measured",
    variant: "m3",
    pitch: 38,
  },
  {
    voiceId: "simGermanAnna000000A",
    name: "Anna",
    language: "de",
    accent: "standard",
    gender: "female",
    description: "friendly, bright",
    variant: "f2",
    pitch: 55,
  },
  {
    voiceId: "simGermanEmil000000A",
    name: "Emil",
    language: "de",
    accent: "standard",
    gender: "male",
    description: "warm, steady",
    variant: "m1",
    pitch: 42,
  },
  {
    voiceId: "simFrenchLouise0000A",
    name: "Louise",
    language: "fr",
    accent: "standard",
    gender: "female",
    description: "light, quick",
    variant: "f4",
    pitch: 54,
  },
  {
    voiceId: "simSpanishMateo0000A",
    name: "Mateo",
    language: "es",
    accent: "peninsular",
    gender: "male",
    description: "open, lively",
    variant: "m2",
    pitch: 44,
  },
];

const byId = new Map(VOICES.map((voice) => [voice.voiceId, voice]));

const FAULT_MARK = "_fault_";

/** `simEnglishGrace0000A_fault_odd-pcm` is Grace, with a fault: a voice's id may choose one (faults.ts). */
export function splitVoiceId(voiceId: string): {
  readonly plainId: string;
  readonly fault: string | undefined;
} {
  const at = voiceId.indexOf(FAULT_MARK);
  return at < 0
    ? { plainId: voiceId, fault: undefined }
    : { plainId: voiceId.slice(0, at), fault: voiceId.slice(at + FAULT_MARK.length) };
}

/** A fault that there is not makes a voice that there is not, so that a misspelt one is noticed. */
export function findVoice(voiceId: string): Voice | undefined {
  const { plainId, fault } = splitVoiceId(voiceId);
  return fault !== undefined && parseFault(fault) === undefined ? undefined : byId.get(plainId);
}
