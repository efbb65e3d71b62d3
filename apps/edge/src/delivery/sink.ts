import type { Frame } from "./frame.ts";
import type { SlowClientNotice, SpeechEvent } from "./speech-event.ts";
import type { DeliveryTally } from "./tally.ts";

/**
 * The end of an outbound: a WebSocket, or the response of an HTTP request. A dialect's sink encodes what it is given.
 */
export interface Sink {
  /** True while it takes more. After it was false, the sink's owner calls `Outbound.resume` once it is true again. */
  readonly writable: boolean;
  /** Bytes that it sends in front of each frame's samples; absent: none. */
  readonly frameHeaderBytes?: number;
  /** Runs `send`, so that all it sends leaves together. */
  batch(send: () => void): void;
  /** @param of the frame's utterance; told what of it the client is known to have, where the sink can know that */
  sendFrame(frame: Frame, of: DeliveryTally): void;
  /** @param of the event's utterance */
  tell(event: SpeechEvent, of: DeliveryTally): void;
  /** Nothing more of this utterance is to come out. Absent where all that was taken is out already. */
  discard?(of: DeliveryTally): void;
  /** Absent where the client has no way to hear of it. */
  tellSlow?(notice: SlowClientNotice): void;
  /**
   * Calls `act` once the client is known to have everything sent until now. Absent where no client can come back for
   * what was sent: it counts as received.
   */
  whenConfirmed?(act: () => void): void;
}
