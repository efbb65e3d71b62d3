import { z } from "zod";

const page = <T extends z.ZodType>(item: T) =>
  z.object({ total: z.number(), items: z.array(item), next_cursor: z.string().nullable() });

/** What this command shows of `GET /api/v1/live` (docs/openapi.yaml). */
const liveSchema = z.object({
  sessions: page(
    z.object({
      session_id: z.string(),
      tenant: z.string().nullable(),
      edge: z.string(),
      state: z.string(),
      dialect: z.string(),
      connection_epoch: z.number(),
      age_ms: z.number(),
    }),
  ),
  utterances: page(
    z.object({
      utterance_id: z.string(),
      session_id: z.string(),
      edge: z.string(),
      worker: z.string().nullable(),
      state: z.string(),
      age_ms: z.number(),
      voice: z.string(),
      queued_frames: z.number().nullable(),
    }),
  ),
  queue: z.object({ waiting: z.number(), active: z.number() }),
});

export type Live = z.infer<typeof liveSchema>;

export interface LiveSource {
  /** Of an edge's operators' port. */
  readonly url: string;
  /** A key with the role of an operator, where the port asks for one. */
  readonly key?: string;
  /** Records of each kind. */
  readonly limit: number;
}

/** Longest wait for the answer. */
const LIMIT_MS = 5_000;

/** What is live on all nodes. @throws Error with one sentence for a person */
export async function readLive({ url, key, limit }: LiveSource): Promise<Live> {
  const address = new URL(`/api/v1/live?limit=${limit}`, url);
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const answer = await fetch(address, { headers, signal: AbortSignal.timeout(LIMIT_MS) }).catch(
    () => undefined,
  );
  if (answer === undefined) {
    throw new Error(
      `No operators' port answers at ${address.origin}: start one with npm start, or name it with --url.`,
    );
  }
  if (answer.status === 401 || answer.status === 403) {
    throw new Error(
      "This operators' port asks for a key with the role operator: give it as TTS_OPERATOR_KEY.",
    );
  }
  const body: unknown = await answer.json().catch(() => undefined);
  if (!answer.ok) throw new Error(`${address.origin} answers ${answer.status}: ${messageOf(body)}`);
  const live = liveSchema.safeParse(body);
  if (!live.success) throw new Error(`${address.origin} is no operators' port of tts-labs.`);
  return live.data;
}

const messageOf = (body: unknown): string =>
  z.object({ error: z.object({ message: z.string() }) }).safeParse(body).data?.error.message ??
  "no reason given.";
