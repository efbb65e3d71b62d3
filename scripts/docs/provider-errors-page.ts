import { type KeyVerdict, verdictOn } from "@tts-labs/core/breaker/faults";
import { ERROR_NAMES, type NamedError } from "@tts-labs/worker/elevenlabs/errors/error-names";
import { toProviderError } from "@tts-labs/worker/elevenlabs/errors/provider-error";
import { OF_VOICE_OR_MODEL } from "@tts-labs/worker/protection/choices";
import { markdownTable } from "./json-schema.ts";

const KEYS: Readonly<Record<KeyVerdict, string>> = {
  rest: "is tried; this one rests",
  another: "is tried",
  same: "",
};

/** `docs/provider-errors.md`: the provider's names for its errors, and what each becomes. */
export function providerErrorsPage(): string {
  const rows = Object.entries(ERROR_NAMES);
  const documented = rows.filter(([, row]) => row.documented === true);
  const seen = rows.filter(([, row]) => row.documented !== true);
  return `${INTRODUCTION}
## The ${documented.length} documented codes

${table(documented)}

## Legacy statuses, types, and names seen on sockets

${table(seen)}
`;
}

const table = (rows: readonly (readonly [string, NamedError])[]): string =>
  markdownTable(
    [
      "name",
      "HTTP",
      "becomes",
      "tried again",
      "another key",
      "`FALLBACK_VOICE`, `FALLBACK_MODEL`",
      "circuit",
    ],
    rows.map(toRow),
  );

function toRow([name, row]: readonly [string, NamedError]): readonly string[] {
  const error = toProviderError(name, "");
  return [
    `\`${name}\``,
    row.httpStatus === undefined ? "" : String(row.httpStatus),
    `\`${row.code}\``,
    error.retryable ? "yes" : "",
    KEYS[row.key ?? "same"],
    OF_VOICE_OR_MODEL.has(row.code) ? "help" : "",
    verdictOn(error) === "fault" ? "counts" : "",
  ];
}

const INTRODUCTION = `<!-- Written by scripts/generate-docs.ts from apps/worker/src/elevenlabs/errors/error-names.ts. -->
# The provider's errors

ElevenLabs names its errors. The names are a closed table: they are looked up as they are, never matched by a pattern.
An error is judged in this order ([provider-error.ts](../apps/worker/src/elevenlabs/errors/provider-error.ts)):

1. HTTP 429 and 5xx by their status, whatever the body says: \`provider.overloaded\` for 429 and 503, otherwise
   \`provider.fault\`. 5xx count for the circuit.
2. The name: \`code\`, or the legacy \`status\` where the code is not in the table, or \`type\` where there is neither. On sockets it
   is \`error\`. The reason of a close (1008, 1009, 1011 …) that is one of these names is that error.
3. **A name that is not in the table** is \`provider.refused\`. It is told, not tried again, not with another key either, and
   held against neither the provider nor the key.
4. Without a name, the HTTP status: 400, 422 \`provider.invalid_request\`; 401 \`provider.invalid_key\`; 402 \`provider.quota_exceeded\`;
   404 \`provider.voice_not_found\`; 408 \`provider.fault\`; 409, 425 \`provider.overloaded\`; all others \`provider.refused\`.
5. Without a status, a few sentences that the provider is known to write. Other words are \`provider.refused\`, or
   \`provider.truncated\` where they are the reason of a close; neither counts for the circuit (a close with 1011, an internal
   error, does). An error or a close without a word is the provider's fault.

Clients and logs are told the provider's name (\`facts.providerError\`) and its own reason (\`facts.providerReason\`, and in the message):
one line of at most 200 characters, without addresses, keys, markup, or quoted text of several words. The wire's
\`retryable\` says whether the same request may succeed later.

"Another key" applies where several are configured. A key that rests is not used for a minute, unless all rest. "Circuit": three
such failures in a row, seen by any worker, open it for everybody ([provider-protection.md](provider-protection.md)); nothing
else in these tables counts. \`service_unavailable\` and \`maintenance\` with HTTP 503 are \`provider.overloaded\` by rule 1, and count.
`;
