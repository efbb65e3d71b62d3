import { GatewayError, toGatewayError } from "@tts-labs/protocol/errors";
import { toConnectError, toUpgradeError } from "../errors/provider-error.ts";
import { withoutSecret } from "../errors/provider-reason.ts";

export interface ProviderHttpOptions {
  readonly url: string;
  readonly apiKey: string | undefined;
}

export interface ProviderAnswer {
  readonly headers: Headers;
  /** Parsed JSON. */
  readonly body: unknown;
}

/** Of one answer, unpacked: a small compressed body may unpack to any size. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** Characters of a refusal that are read. */
const MAX_REFUSAL_BYTES = 16 * 1024;

/**
 * Asks the provider over HTTP, for what is not speech. Headers and body both come before `signal` is aborted, and the
 * body is read only up to its bound.
 * @throws GatewayError `provider.*`
 */
export async function askProvider(
  path: string,
  { url, apiKey }: ProviderHttpOptions,
  signal: AbortSignal,
): Promise<ProviderAnswer> {
  const address = new URL(url);
  address.protocol = address.protocol.replace(/^ws/, "http");
  try {
    const response = await fetch(`${address.href.replace(/\/+$/, "")}${path}`, {
      headers: apiKey === undefined ? {} : { "xi-api-key": apiKey },
      // A redirect would take the key along to wherever it points.
      redirect: "error",
      signal,
    });
    if (!response.ok) {
      const { text } = await read(response, MAX_REFUSAL_BYTES);
      const retryAfter = response.headers.get("retry-after") ?? undefined;
      throw toUpgradeError(response.status, withoutSecret(text, apiKey), retryAfter);
    }
    const { text, isWhole } = await read(response, MAX_ANSWER_BYTES);
    if (!isWhole) {
      throw new GatewayError("provider.fault", "The provider's answer is longer than is read.", {
        facts: { limitBytes: MAX_ANSWER_BYTES },
      });
    }
    return { headers: response.headers, body: parse(text) };
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    if (signal.aborted) throw new GatewayError("provider.connect_timeout");
    throw error instanceof Error ? toConnectError(error) : toGatewayError(error);
  }
}

/** The first `maxBytes` of a body; the rest is neither read nor unpacked. */
async function read(
  response: Response,
  maxBytes: number,
): Promise<{ readonly text: string; readonly isWhole: boolean }> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = response.body?.getReader();
  for (let isWhole = false; reader !== undefined && !isWhole; ) {
    const { done, value } = await reader.read();
    isWhole = done;
    if (value === undefined) continue;
    bytes += value.byteLength;
    if (bytes > maxBytes) {
      await reader.cancel();
      chunks.push(value.subarray(0, value.byteLength - (bytes - maxBytes)));
      return { text: Buffer.concat(chunks).toString("utf8"), isWhole: false };
    }
    chunks.push(value);
  }
  return { text: Buffer.concat(chunks).toString("utf8"), isWhole: true };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GatewayError("provider.fault", "The provider's answer is not JSON.", { cause });
  }
}
