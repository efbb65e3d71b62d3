import { isDialect, type SessionRecord, type UtteranceRecord } from "./live-registry.ts";

/** A record as a Redis hash: names as in the record, numbers in decimal. */
export type RecordFields = Record<string, string>;

export function toRecordFields(record: Partial<SessionRecord> | Partial<UtteranceRecord>): RecordFields {
  return Object.fromEntries(
    Object.entries(record)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  );
}

/** `undefined` where the record has expired, or a late writer left only a part of one. */
export function parseSessionFields(fields: RecordFields): SessionRecord | undefined {
  const { sessionId, edgeId, state, dialect } = fields;
  const connectionEpoch = Number(fields["connectionEpoch"]);
  const createdAtMs = Number(fields["createdAtMs"]);
  if (sessionId === undefined || edgeId === undefined) return undefined;
  if (state !== "open" && state !== "detached") return undefined;
  if (!isDialect(dialect)) return undefined;
  return { sessionId, edgeId, state, connectionEpoch, dialect, createdAtMs };
}

/** As above. */
export function parseUtteranceFields(fields: RecordFields): UtteranceRecord | undefined {
  const { utteranceId, sessionId, edgeId, workerId, state, voice, model, queuedFrames } = fields;
  if (utteranceId === undefined || sessionId === undefined || edgeId === undefined) return undefined;
  if (state !== "queued" && state !== "speaking" && state !== "delivering") return undefined;
  if (voice === undefined || model === undefined) return undefined;
  return {
    utteranceId,
    sessionId,
    edgeId,
    state,
    voice,
    model,
    createdAtMs: Number(fields["createdAtMs"]),
    ...(workerId === undefined ? {} : { workerId }),
    ...(queuedFrames === undefined ? {} : { queuedFrames: Number(queuedFrames) }),
  };
}
