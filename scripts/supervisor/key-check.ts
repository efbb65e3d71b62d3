const LIMIT_MS = 5_000;
const DEFAULT_URL = "https://api.elevenlabs.io";

/**
 * Asks the provider whether it knows the key, before anything is started with it. Only a plain no counts: a key that
 * may not list voices, or a provider that does not answer, is found out about in use.
 * @throws Error the sentence to tell
 */
export async function assertKeyTaken(env: NodeJS.ProcessEnv): Promise<void> {
  const key = env["ELEVENLABS_API_KEY"];
  const url = env["ELEVENLABS_URL"] || DEFAULT_URL;
  // An address that is none is told by the programs, together with all else that is wrong.
  if (!key || !URL.canParse(url) || !(await isRefused(url, key))) return;
  const place = url === DEFAULT_URL ? " (your keys are at elevenlabs.io/app/settings/api-keys)" : "";
  throw new Error(
    `The provider at ${new URL(url).host} refuses the key in ELEVENLABS_API_KEY: correct it there${place}, or unset it to hear the local simulator.`,
  );
}

async function isRefused(url: string, key: string): Promise<boolean> {
  try {
    const answer = await fetch(new URL("/v2/voices?page_size=1", url), {
      headers: { "xi-api-key": key },
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    if (answer.ok) return false;
    const { detail } = (await answer.json()) as {
      readonly detail?: { readonly status?: string; readonly code?: string };
    };
    return [detail?.status, detail?.code].includes("invalid_api_key");
  } catch {
    return false;
  }
}
