import { ERROR_CATALOGUE, ERROR_CODES, type ErrorFamily } from "@tts-labs/protocol/errors";
import { markdownTable } from "./json-schema.ts";

interface Row {
  readonly code: string;
  readonly family: ErrorFamily;
  readonly retryable: boolean;
  readonly httpStatus: number;
  readonly closeCode: number | undefined;
  readonly meaning: string;
}

const ROWS: readonly Row[] = ERROR_CODES.map((code) => ({
  code,
  closeCode: undefined,
  ...ERROR_CATALOGUE[code],
}));

const FAMILIES: Readonly<Record<ErrorFamily, string>> = {
  protocol: "What was sent can't be understood. Mend the request; the session goes on.",
  authentication: "Who is asking is not known.",
  capacity: "There is too much: of text, of sessions, of work, or of audio that nobody takes.",
  session:
    "The session or its position is no longer what the client believes, or it was silent for too long.",
  lease: "The right to speak an utterance passed to another worker. Clients seldom see it.",
  provider: "The speech provider failed or refused.",
  storage: "Redis is away or has lost something.",
  cancelled: "Not failures: the utterance was not wanted any more.",
  draining: "This process is being replaced.",
  config: "Only at start, in the log.",
  internal: "A bug. The log has the cause under the same request id.",
};

/** WebSocket close codes that carry one of our errors, in rising order. */
export const closeCodeRows = (): readonly (readonly string[])[] =>
  ROWS.flatMap(({ closeCode, code, meaning }) =>
    closeCode === undefined ? [] : [[String(closeCode), code, meaning]],
  ).sort(([a = ""], [b = ""]) => a.localeCompare(b));

export function errorsPage(): string {
  const families = (Object.keys(FAMILIES) as ErrorFamily[]).map((family) => {
    const rows = ROWS.filter((row) => row.family === family).map((row) => [
      `\`${row.code}\``,
      row.retryable ? "yes" : "no",
      String(row.httpStatus),
      row.closeCode === undefined ? "" : String(row.closeCode),
      row.meaning,
    ]);
    const head = ["code", "retry", "HTTP", "close", "meaning"];
    return `## ${family}\n\n${FAMILIES[family]}\n\n${markdownTable(head, rows)}\n`;
  });
  return `${INTRODUCTION}\n${families.join("\n")}`;
}

const INTRODUCTION = `<!-- Written by scripts/generate-docs.ts from packages/protocol/src/errors.ts. -->
# Errors

Every failure has a stable \`code\`. It is the same on all surfaces: in the \`error\` message of the WebSocket, in the
\`error\` object of an HTTP answer, in the logs and on the dashboards. Switch on the code; the message is for people and
may change.

- **retry**: may the same request succeed later, or elsewhere, unchanged? Where we know how long to wait, the error says so
  (\`retry_after_ms\`, and \`Retry-After\` over HTTP). A single error may differ from this table where the circumstances decide;
  its own \`retryable\` field has the last word.
- **HTTP**: the status of an answer that could not be given.
- **close**: the WebSocket close code, where the error ends the connection. **4000–4499**: come back, and resume if you
  have a resume token. **4500–4999**: not until something changes. Without a close code the connection goes on.
`;
