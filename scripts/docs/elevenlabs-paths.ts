import type { JsonSchema } from "./json-schema.ts";

const AUDIO = { "audio/*": { schema: { type: "string", format: "binary" } } };
const TIMED = { "application/json": { schema: { type: "object" } } };

/** The forms of ElevenLabs' route for speech: what follows the voice, what it is called, what is answered. */
const FORMS = [
  ["", "Speaks a text, as ElevenLabs' clients ask for it.", AUDIO],
  ["/stream", "The same, which is streamed in any case.", AUDIO],
  ["/with-timestamps", "One object with base64 audio and the times of its characters.", TIMED],
  ["/stream/with-timestamps", "One such object a line.", TIMED],
] as const;

/**
 * The routes for speech of ElevenLabs' clients; the page elevenlabs-compatible.md has the others.
 * @param query of the route @param body the reference to its schema
 */
export const elevenLabsPaths = (
  query: readonly object[],
  body: JsonSchema,
): Readonly<Record<string, object>> =>
  Object.fromEntries(
    FORMS.map(([form, summary, content]) => [
      `/v1/text-to-speech/{voice_id}${form}`,
      {
        post: {
          tags: ["speech"],
          operationId: `textToSpeech${form.replace(/[/-]([a-z])/g, (_, letter: string) => letter.toUpperCase())}`,
          summary,
          description: "Errors have ElevenLabs' form: [elevenlabs-compatible.md](elevenlabs-compatible.md).",
          parameters: [
            { name: "voice_id", in: "path", required: true, schema: { type: "string" } },
            ...query,
          ],
          requestBody: { required: true, content: { "application/json": { schema: body } } },
          responses: {
            200: { description: "The speech, or lines of it.", content },
            default: {
              description: "Anything that went wrong.",
              content: { "application/json": { schema: { type: "object" } } },
            },
          },
        },
      },
    ]),
  );
