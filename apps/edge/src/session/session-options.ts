import type { Dialect } from "@tts-labs/core/session/live-registry";
import type { SessionHold } from "@tts-labs/core/session/session-store";
import type { GatewayError } from "@tts-labs/protocol/errors";
import type { Caller } from "../access/caller.ts";
import type { FrameSize } from "../delivery/frame-size.ts";
import type { Outbound } from "../delivery/outbound.ts";
import type { SessionServices, SessionSettings } from "../services.ts";
import type { RestoredSession } from "../speech/resume.ts";
import type { Detached } from "../utterance/detached.ts";

/** What a session is given by the dialect and the registry that open it. */
export interface SessionOptions {
  /** Within its tenant (`scopedId`). */
  readonly sessionId: string;
  /** As `Access` has found it out. */
  readonly caller: Caller;
  readonly requestId: string;
  readonly dialect: Dialect;
  readonly frameSize: FrameSize;
  readonly outbound: Outbound;
  readonly services: SessionServices;
  readonly settings: SessionSettings;
  /** Ends the connection that carries the session, telling the client why. */
  readonly disconnect: (reason: GatewayError) => void;
  /** Tells the client to come back in so long; absent where it can't be told. */
  readonly tellDraining?: (reconnectInMs: number) => void;
  /** Its utterances are made sentence by sentence. */
  readonly sentenceCache: boolean;
  /** The same was asked for before, and must not be made again. */
  readonly repeatOf?: "running" | "done";
  /** Present when it outlives its connection. */
  readonly hold?: SessionHold;
  /** What an earlier connection has left. */
  readonly restored?: RestoredSession;
  /** Called once, when the session ends here; not where another connection goes on with it. */
  readonly onEnded?: () => void;
  /** `detached`: what is left of it may be resumed. */
  readonly onClosed: (detached?: Detached) => void;
}
