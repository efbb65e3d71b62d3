/** A voice as `GET /api/v1/voices` lists it. */
export interface Voice {
  readonly id: string;
  readonly name: string;
  /** ISO 639-1; empty where unknown. */
  readonly language: string;
}

/** What the server at `url` lists, or nothing when it can't: its own default voice always works. */
export async function listVoices(url: string | URL, limitMs = 5_000): Promise<Voice[]> {
  try {
    const response = await fetch(new URL("/api/v1/voices", url), { signal: AbortSignal.timeout(limitMs) });
    return response.ok ? parseVoices(await response.json()) : [];
  } catch {
    return [];
  }
}

/** Entries without an id are left out; a voice without a name goes by its id. */
export function parseVoices(body: unknown): Voice[] {
  const list: unknown = isRecord(body) ? body["voices"] : undefined;
  if (!Array.isArray(list)) return [];
  return list.filter(isRecord).flatMap(({ voice_id: id, name, language }): Voice[] => {
    if (typeof id !== "string") return [];
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
