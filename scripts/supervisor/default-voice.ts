import { setTimeout as sleep } from "node:timers/promises";
import { FIRST_VOICE } from "@tts-labs/protocol/speech-options";

/** An account's voices take a moment to come, and a start does not wait for them for long. */
const LIMIT_MS = 3_000;
const EVERY_MS = 100;
const NOT_LISTED = "the first of the account's, once they have been listed";

/** The voice of utterances that name none, as its name and id; in words where it is not known yet. */
export async function defaultVoice({
  url,
  ops,
}: {
  readonly url: string;
  readonly ops: string;
}): Promise<string> {
  const endAtMs = performance.now() + LIMIT_MS;
  for (;;) {
    const [info, list] = await Promise.all([ask(`${ops}/api/v1/info`), ask(`${url}/api/v1/voices`)]);
    const id = (info as { readonly defaults?: { readonly voice?: string } } | undefined)?.defaults?.voice;
    const { voices = [] } = (list ?? {}) as {
      readonly voices?: readonly { readonly voice_id: string; readonly name: string }[];
    };
    const voice = voices.find(({ voice_id: known }) => known === id);
    if (voice !== undefined) return voice.name === id ? voice.name : `${voice.name} (${id})`;
    if (performance.now() > endAtMs) return id === undefined || id === FIRST_VOICE ? NOT_LISTED : id;
    await sleep(EVERY_MS);
  }
}

async function ask(url: string): Promise<unknown> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(LIMIT_MS) });
    return answer.ok ? await answer.json() : undefined;
  } catch {
    return undefined;
  }
}
