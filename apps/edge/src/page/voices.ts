/** A voice as `GET /api/v1/voices` lists it. */
export interface Voice {
  readonly id: string;
  readonly name: string;
  /** ISO 639-1; empty where unknown. */
  readonly language: string;
}

/** What the server lists, or nothing when it can't: the server's own default voice always works. */
export async function fetchVoices(): Promise<Voice[]> {
  try {
    const response = await fetch("/api/v1/voices", { signal: AbortSignal.timeout(5_000) });
    if (!response.ok) return [];
    return parseVoices(await response.json());
  } catch {
    return [];
  }
}

export function parseVoices(body: unknown): Voice[] {
  const list: unknown = isRecord(body) ? body["voices"] : undefined;
  if (!Array.isArray(list)) return [];
  return list.filter(isRecord).flatMap((voice): Voice[] => {
    const id = voice["voice_id"] ?? voice["id"];
    if (typeof id !== "string") return [];
    const { name, language } = voice;
    return [
      {
        id,
        name: typeof name === "string" && name !== "" ? name : id,
        language: typeof language === "string" ? language.slice(0, 2).toLowerCase() : "",
      },
    ];
  });
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;
