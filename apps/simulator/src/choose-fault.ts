import type { IncomingMessage } from "node:http";
import type { FaultBoard } from "./faults/fault-board.ts";
import { type Fault, parseFault } from "./faults/faults.ts";
import { splitVoiceId } from "./voice/voices.ts";

/**
 * The fault of a connection that begins: asked for by its voice's id, by its header, or ordered before.
 * "unknown" where the header names none: a misspelt fault must not pass for good behaviour. (A misspelt one in
 * a voice's id makes a voice that does not exist.)
 */
export function chooseFault(
  request: IncomingMessage,
  voiceId: string,
  board: FaultBoard,
): Fault | undefined | "unknown" {
  const { plainId, fault } = splitVoiceId(voiceId);
  if (fault !== undefined) return parseFault(fault);
  const header = request.headers["x-simulator-fault"];
  if (typeof header === "string") return parseFault(header) ?? "unknown";
  return board.take(plainId);
}
