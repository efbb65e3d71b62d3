import { type VoiceSettings, voiceSettingsSchema } from "../voice/voice-settings.ts";

/** A message on either socket, as far as it is understood; unknown fields are ignored. */
export interface ClientMessage {
  readonly text: string | undefined;
  readonly flush: boolean;
  readonly tryTrigger: boolean;
  readonly key: string | undefined;
  readonly contextId: string | undefined;
  readonly closeContext: boolean;
  readonly closeSocket: boolean;
  readonly settings: Settings;
  /** Names of all fields, for the log. */
  readonly fields: readonly string[];
}

/** What belongs in the first message. Absent fields are absent. */
export interface Settings {
  readonly voiceSettings?: VoiceSettings;
  readonly schedule?: readonly number[];
  /** The fields as they were written, to tell whether they changed. */
  readonly written: Readonly<Record<string, string>>;
}

export interface MessageProblem {
  readonly field: string | undefined;
  readonly problem: string;
}

/** Names under which settings are sent; a text message spells the second one differently. */
const SETTING_FIELDS: Readonly<Record<string, string>> = {
  voice_settings: "voice_settings",
  generation_config: "generation_config",
  generator_config: "generation_config",
  pronunciation_dictionary_locators: "pronunciation_dictionary_locators",
};

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export function parseClientMessage(data: string): ClientMessage | MessageProblem {
  let body: unknown;
  try {
    body = JSON.parse(data);
  } catch {
    return { field: undefined, problem: "The message is not JSON." };
  }
  if (!isRecord(body)) return { field: undefined, problem: "The message is not a JSON object." };
  const text = body["text"];
  if (text !== undefined && text !== null && typeof text !== "string") {
    return { field: "text", problem: "it must be a string" };
  }
  const settings = parseSettings(body);
  if ("problem" in settings) return settings;
  const key = body["xi_api_key"] ?? body["xi-api-key"] ?? body["authorization"];
  const contextId = body["context_id"];
  return {
    text: text ?? undefined,
    flush: body["flush"] === true,
    tryTrigger: body["try_trigger_generation"] === true,
    key: typeof key === "string" ? key.replace(/^bearer\s+/i, "") : undefined,
    contextId: typeof contextId === "string" ? contextId : undefined,
    closeContext: body["close_context"] === true,
    closeSocket: body["close_socket"] === true,
    settings,
    fields: Object.keys(body),
  };
}

function parseSettings(body: Record<string, unknown>): Settings | MessageProblem {
  const written: Record<string, string> = {};
  for (const [field, name] of Object.entries(SETTING_FIELDS)) {
    const value = body[field];
    if (value !== undefined && value !== null) written[name] = canonical(value);
  }
  const given = body["voice_settings"] ?? undefined;
  const voiceSettings = given === undefined ? undefined : voiceSettingsSchema.safeParse(given);
  if (voiceSettings?.success === false) {
    const issue = voiceSettings.error.issues[0];
    return {
      field: ["voice_settings", ...(issue?.path ?? [])].join("."),
      problem: issue?.message ?? "not valid",
    };
  }
  const config = body["generation_config"] ?? body["generator_config"];
  const schedule = isRecord(config) ? config["chunk_length_schedule"] : undefined;
  if (schedule !== undefined && schedule !== null && !isSchedule(schedule)) {
    return {
      field: "generation_config.chunk_length_schedule",
      problem: "it must be a list of whole numbers from 50 to 500",
    };
  }
  return {
    written,
    ...(voiceSettings === undefined ? {} : { voiceSettings: voiceSettings.data }),
    ...(isSchedule(schedule) ? { schedule } : {}),
  };
}

const isSchedule = (value: unknown): value is number[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((item) => Number.isInteger(item) && item >= 50 && item <= 500);

/** The name of a setting that `later` changes or adds; identical ones may be repeated. */
export function changedSetting(first: Settings, later: Settings): string | undefined {
  return Object.keys(later.written).find((field) => later.written[field] !== first.written[field]);
}

/** JSON with sorted keys: the same settings in another order are the same. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isRecord(value)) return JSON.stringify(value) ?? "null";
  const fields = Object.keys(value).sort();
  return `{${fields.map((field) => `${JSON.stringify(field)}:${canonical(value[field])}`).join(",")}}`;
}
