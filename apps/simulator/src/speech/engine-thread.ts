import { parentPort } from "node:worker_threads";
import { Espeak } from "./espeak.ts";
import { speakUnit, type UnitRequest } from "./unit.ts";

/** The thread that holds the speech engine: synthesis is synchronous and must not stop the sockets. */
export type ThreadRequest = UnitRequest & { readonly id: number };
export type ThreadReply =
  | {
      readonly id: number;
      readonly samples: Int16Array<ArrayBuffer>;
      readonly starts: readonly number[];
      readonly speechSamples: number;
    }
  | { readonly id: number; readonly failure: string };

const port = parentPort;
if (port === null) throw new Error("engine-thread.ts runs as a worker thread only");
const engine = Espeak.load();

port.on("message", async (request: ThreadRequest) => {
  try {
    const unit = speakUnit(await engine, request);
    port.postMessage({ id: request.id, ...unit }, [unit.samples.buffer as ArrayBuffer]);
  } catch (error) {
    port.postMessage({ id: request.id, failure: String(error) } satisfies ThreadReply);
  }
});
