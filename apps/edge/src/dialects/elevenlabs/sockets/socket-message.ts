import { GatewayError } from "@tts-labs/protocol/errors";
import { parseJsonObject } from "@tts-labs/protocol/json-object";
import { MAX_CLIENT_MESSAGE_BYTES, MAX_UTTERANCE_CHARACTERS } from "@tts-labs/protocol/limits";
import { type RequestedOptions, speechOptionsShape } from "@tts-labs/protocol/speech-options";
import { z } from "zod";
import {
  checked,
  elevenLabsVoiceSettingsSchema,
  locatorsSchema,
  toDictionaries,
  toVoiceSettings,
} from "../wire/speech-body.ts";

const config = z.object({
  chunk_length_schedule: speechOptionsShape.chunk_length_schedule.unwrap().nullish(),
});

/** A message on either socket. Fields it does not know are ignored. */
export const socketMessageSchema = z.object({
  text: z.string().max(MAX_UTTERANCE_CHARACTERS).nullish(),
  flush: z.boolean().nullish(),
  try_trigger_generation: z.boolean().nullish(),
  context_id: z.string().min(1).max(128).nullish(),
  close_context: z.boolean().nullish(),
  close_socket: z.boolean().nullish(),
  voice_settings: elevenLabsVoiceSettingsSchema.nullish(),
  generation_config: config.nullish(),
  generator_config: config.nullish(),
  pronunciation_dictionary_locators: locatorsSchema,
  xi_api_key: z.string().max(512).nullish(),
  "xi-api-key": z.string().max(512).nullish(),
  authorization: z.string().max(512).nullish(),
});

export interface SocketMessage {
  readonly text: string | undefined;
  readonly flush: boolean;
  readonly tryTrigger: boolean;
  /** An API key, in the first message of a client that has shown none; "": none. */
  readonly key: string;
  readonly contextId: string | undefined;
  readonly closeContext: boolean;
  readonly closeSocket: boolean;
  /** What belongs in the first message of its context, each as it was written. */
  readonly written: ReadonlyMap<string, string>;
  readonly options: RequestedOptions;
}

/** Fields that only the first message of a context may set, and later ones may repeat. */
const FIRST_ONLY = ["voice_settings", "generation_config", "pronunciation_dictionary_locators"] as const;

const MESSAGE = { what: "The message", example: `{"text":"Hello. "}` };

/** @throws GatewayError `protocol.*`, `capacity.text_too_long` */
export function parseSocketMessage(bytes: Uint8Array, isBinary: boolean): SocketMessage {
  if (isBinary) throw new GatewayError("protocol.unexpected_binary");
  if (bytes.byteLength > MAX_CLIENT_MESSAGE_BYTES) {
    throw new GatewayError(
      "protocol.message_too_large",
      `The message is longer than the ${MAX_CLIENT_MESSAGE_BYTES} bytes that are taken.`,
    );
  }
  const body = checked(socketMessageSchema, parseJsonObject(bytes, MESSAGE), "message");
  const {
    generation_config = body.generator_config,
    voice_settings,
    pronunciation_dictionary_locators,
  } = body;
  const first = { voice_settings, generation_config, pronunciation_dictionary_locators };
  const written = new Map<string, string>();
  for (const field of FIRST_ONLY) {
    const value = first[field];
    if (value !== undefined && value !== null) written.set(field, canonical(value));
  }
  return {
    text: body.text ?? undefined,
    flush: body.flush === true,
    tryTrigger: body.try_trigger_generation === true,
    key: body.xi_api_key ?? body["xi-api-key"] ?? (body.authorization ?? "").replace(/^bearer /i, ""),
    contextId: body.context_id ?? undefined,
    closeContext: body.close_context === true,
    closeSocket: body.close_socket === true,
    written,
    options: {
      voice_settings: toVoiceSettings(voice_settings),
      pronunciation_dictionaries: toDictionaries(pronunciation_dictionary_locators)?.slice(),
      chunk_length_schedule: generation_config?.chunk_length_schedule ?? undefined,
    },
  };
}

/** @throws GatewayError `protocol.wrong_state` where a later message changes or adds what only the first may set */
export function assertSameSettings(
  first: ReadonlyMap<string, string>,
  later: ReadonlyMap<string, string>,
): void {
  for (const [field, value] of later) {
    if (first.get(field) === value) continue;
    throw new GatewayError(
      "protocol.wrong_state",
      `The field ${field} must be given in the first message and be absent or unchanged in later ones.`,
      { facts: { field } },
    );
  }
}

/** JSON with sorted keys and without what is null: the same settings in another order are the same. */
function canonical(value: object): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(
          Object.entries(inner)
            .filter(([, it]) => it !== null)
            .sort(([a], [b]) => (a < b ? -1 : 1)),
        )
      : inner,
  );
}
