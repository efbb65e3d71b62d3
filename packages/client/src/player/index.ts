/** What pages import beside the client: `@tts-labs/client/player`. */
export type { Playback, PlaybackTotals } from "./playback.ts";
export { Player, type PlayerOptions } from "./player.ts";
export type { LineState } from "./voice-line.ts";
