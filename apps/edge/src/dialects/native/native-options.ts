import type { Logger } from "@tts-labs/core/logger";
import type { SessionDelivery } from "@tts-labs/core/session/session-store";
import type { GatewayError } from "@tts-labs/protocol/errors";
import type { ServerMessage } from "@tts-labs/protocol/server-message";
import type { SpeechDefaults } from "@tts-labs/protocol/speech-options";
import type { Access } from "../../access/access.ts";
import type { Caller } from "../../access/caller.ts";
import type { TenantLimiter } from "../../access/tenant-limiter.ts";
import type { GivenUpRequests } from "../../budget/given-up-requests.ts";
import type { IntakeRoles } from "../../budget/intake.ts";
import type { FrameSize } from "../../delivery/frame-size.ts";
import type { OutboundOptions } from "../../delivery/outbound-options.ts";
import { Pacer } from "../../delivery/pacing.ts";
import type { EdgeObserver } from "../../edge-observer.ts";
import type { SessionBroadcast } from "../../listen/session-broadcast.ts";
import type { SessionRegistry } from "../../session/registry.ts";
import type { AskingSink } from "./confirmed-sink.ts";
import type { FrameEncoding } from "./frame-encoding.ts";
import type { NativeQuery } from "./query.ts";

/** A sink that is a connection of its own. */
export interface ConnectionSink extends AskingSink {
  sendMessage(message: ServerMessage): void;
  /** How frames carry their samples from now on. */
  encodeFrames(encoding: FrameEncoding): void;
  /** Asks the client for a pong with the same payload. */
  ping(payload: string): void;
  /** Tells why, past all that waits, and closes with the code that belongs to the error. May be called twice. */
  refuse(error: GatewayError): void;
}

export interface NativeSettings {
  readonly provider: string;
  readonly defaults: SpeechDefaults;
  readonly frameSamples: number;
  /** Frame sizes follow the round trip where the client says nothing. */
  readonly adaptiveFrames: boolean;
  /** Speech is kept, so sentences may be looked up. */
  readonly cache: boolean;
  readonly outboundFrames: number;
  /** Audio handed over beyond what the client is known to have; 0: as much as its socket takes. */
  readonly unconfirmedBytes: number;
  readonly slowClientNoticeMs: number;
  readonly slowClientMs: number;
}

export interface NativeConnectionOptions {
  readonly query: NativeQuery;
  readonly requestId: string;
  /** `undefined`: its first message has to be `authenticate`. */
  readonly caller: Caller | undefined;
  /** Of the page it comes from; "": from none. */
  readonly origin: string;
  readonly access: Pick<Access, "authenticate">;
  readonly limiter: Pick<TenantLimiter, "connect">;
  readonly sink: ConnectionSink;
  readonly registry: SessionRegistry;
  /** Of this connection: it closes it. */
  readonly broadcast: SessionBroadcast;
  readonly settings: NativeSettings;
  readonly intake: IntakeRoles;
  readonly givenUp: Pick<GivenUpRequests, "mayBegin">;
  readonly observer: EdgeObserver;
  readonly logger: Logger;
}

/** How the outbound of a session that is delivered so is bounded and paced. */
export function toOutbound(
  how: SessionDelivery,
  frameSize: FrameSize,
  { settings, observer }: Pick<NativeConnectionOptions, "settings" | "observer">,
): Omit<OutboundOptions, "sink" | "onOverflow"> {
  const { delivery, overflow, sampleRateHz = settings.defaults.sampleRateHz } = how;
  return {
    observer,
    maxFrames: settings.outboundFrames,
    overflow,
    ...(delivery === "paced" ? { pacer: new Pacer({ sampleRateHz, frameSize }) } : {}),
    slowClient: { noticeAfterMs: settings.slowClientNoticeMs, cutAfterMs: settings.slowClientMs },
  };
}
