import { z } from "zod";

/** Ranges of docs/elevenlabs.md 1.3; fields beyond these are ignored, as the real service does. */
export const voiceSettingsSchema = z.object({
  stability: z.number().min(0).max(1).nullish(),
  similarity_boost: z.number().min(0).max(1).nullish(),
  style: z.number().min(0).max(1).nullish(),
  use_speaker_boost: z.boolean().nullish(),
  speed: z.number().min(0.7).max(1.2).nullish(),
});

export type VoiceSettings = z.infer<typeof voiceSettingsSchema>;
