/**
 * Register of what is being spoken: any number of equal requests at once, on any edges, cause one synthesis. A flight
 * is a name in Redis for a while: the key of what is spoken → the utterance that speaks it. An utterance that finds
 * none leads; one that finds a leader joins it, that is, reads the audio stream of that utterance from its first entry.
 *
 *   board ──▶ lead ──renew…──▶ speech complete ──▶ stored in the cache ──▶ land
 *        └──▶ join ──▶ the leader fails, or is gone ──▶ board again, replacing it: one of the joiners leads
 */
export interface Flights {
  /**
   * Leads with `utteranceId`, or tells whom to join. `replacing` names a leader that has failed: exactly one of
   * those who name it takes its place. @throws GatewayError `storage.*`
   */
  board(key: string, utteranceId: string, replacing?: string): Promise<Boarding>;
  /** Keeps it known as the leader, and tells whether others hear it. @throws GatewayError `storage.*` */
  renew(key: string, utteranceId: string): Promise<"alone" | "joined" | "lost">;
  /**
   * The leader is no longer wanted by the session that asked for it. `joined`: others hear it, so it must go on;
   * `alone`: it has landed, and may be cancelled. @throws GatewayError `storage.*`
   */
  leave(key: string, utteranceId: string): Promise<"alone" | "joined">;
  /**
   * Nobody joins it any more; `joined`: some have, and may still be about to read it. Repeated it is `alone`.
   * @throws GatewayError `storage.*`
   */
  land(key: string, utteranceId: string): Promise<"alone" | "joined">;
}

export type Boarding = { readonly kind: "lead" } | { readonly kind: "join"; readonly utteranceId: string };

/** Life of a flight that is not renewed: the edge of its leader has died. Renew well inside. */
export const FLIGHT_TTL_MS = 10_000;
