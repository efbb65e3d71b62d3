import { SpeechError } from "./speech-error.ts";

/** Gives a token for one connection: a page asks its own server, which has the key. */
export type AccessToken = () => string | Promise<string>;

/** @throws SpeechError `client.connect_failed`, `client.connect_timeout`, `client.closed` */
export function askForToken(
  token: AccessToken,
  limitMs: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new SpeechError("client.closed"));
    const timer = setTimeout(() => reject(new SpeechError("client.connect_timeout")), limitMs);
    const failed = (cause: unknown) =>
      reject(
        new SpeechError("client.connect_failed", "No token could be had for the connection.", { cause }),
      );
    signal?.addEventListener("abort", onAbort);
    Promise.resolve()
      .then(token)
      .then(resolve, failed)
      .finally(() => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      });
  });
}
