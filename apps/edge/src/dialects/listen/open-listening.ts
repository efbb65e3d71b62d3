import type { ByteBudget } from "@tts-labs/core/async/byte-budget";
import type { BroadcastStore } from "@tts-labs/core/broadcast/broadcast";
import type { Logger } from "@tts-labs/core/logger";
import type { SessionStore } from "@tts-labs/core/session/session-store";
import type { GatewayError } from "@tts-labs/protocol/errors";
import { Ears, type EarsSettings } from "../../listen/ears.ts";
import type { ListenObserver } from "../../listen/listen-observer.ts";
import { SessionBroadcast } from "../../listen/session-broadcast.ts";
import { cutFrame } from "../native/frame-encoding.ts";
import type { ListenServices } from "./listen-socket.ts";
import type { MintServices } from "./mint-token.ts";

/** A session's broadcast is kept alive at most this often. */
const SHORTEST_REFRESH_MS = 1_000;

export interface ListeningOptions {
  readonly broadcasts: (observer: ListenObserver) => Promise<BroadcastStore>;
  readonly sessions: SessionStore;
  readonly settings: Omit<EarsSettings, "cutsSlow"> & {
    readonly resumeWindowMs: number;
    /** Life of a session that can't be resumed. */
    readonly liveTtlMs: number;
  };
  /** See `EdgeGround`. */
  readonly keepsSlowListeners?: boolean | undefined;
  readonly bodies: ByteBudget;
  readonly observer: {
    readonly listen: ListenObserver;
    errorTold(code: GatewayError["code"]): void;
  };
  readonly logger: Logger;
}

/** What sessions need to be heard, and what listeners need to hear them. */
export interface Listening extends ListenServices, MintServices {
  readonly openBroadcast: () => SessionBroadcast;
  /** Sends all listeners away. After it no session may be written down any more. */
  close(): Promise<void>;
}

/** @throws GatewayError `storage.*` */
export async function openListening(options: ListeningOptions): Promise<Listening> {
  const { sessions, settings, keepsSlowListeners, bodies, observer, logger } = options;
  const broadcasts = await options.broadcasts(observer.listen);
  const refreshMs = Math.max(SHORTEST_REFRESH_MS, (settings.resumeWindowMs || settings.liveTtlMs) / 3);
  const cutsSlow = keepsSlowListeners !== true;
  const ears = new Ears({
    broadcasts,
    settings: { ...settings, cutsSlow },
    observer: observer.listen,
    logger,
  });
  return {
    ears,
    broadcasts,
    sessions,
    bodies,
    errorTold: ({ code }) => observer.errorTold(code),
    openBroadcast: () => new SessionBroadcast({ broadcasts, refreshMs, cutFrame, logger }),
    close: async () => {
      await ears.close();
      await broadcasts.close();
    },
  };
}
