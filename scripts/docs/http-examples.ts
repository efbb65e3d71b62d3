import type { synthesizeBodySchema } from "@tts-labs/edge/dialects/synthesize/synthesize";
import type { z } from "zod";

type Example = { readonly summary: string; readonly value: z.infer<typeof synthesizeBodySchema> };

/** Bodies of `POST /api/v1/synthesize`; tests parse each with the edge's own schema. */
export const synthesizeExamples: Readonly<Record<string, Example>> = {
  shortest: { summary: "The default voice", value: { text: "Hello World" } },
  german: {
    summary: "A German voice, a little slower",
    value: {
      text: "Guten Tag, wie geht es Ihnen?",
      voice: "simGermanAnna000000A",
      language: "de",
      voice_settings: { speed: 0.9 },
    },
  },
};
