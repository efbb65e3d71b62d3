import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import { FAULTS, MAX_FAULT_MS, parseFault } from "../faults/faults.ts";
import type { Services } from "../services.ts";
import { readJson, sendError, sendJson } from "./answer.ts";
import { httpErrors } from "./error.ts";

const ms = z.int().min(0).max(MAX_FAULT_MS);

const orderSchema = z.strictObject({
  /** `name`, or `name:500` with its parameters. */
  fault: z.string(),
  connections: z.int().min(1).default(1),
  voice: z.string().optional(),
  afterMs: ms.optional(),
  forMs: ms.optional(),
});

/** Routes for tests and people: what was seen, and the switchboard of faults. */
export class HttpAdmin {
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
  }

  async answer(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const { faults, witness } = this.#services;
    switch (`${request.method} ${path}`) {
      case "GET /admin/report":
        sendJson(response, 200, witness.report());
        break;
      case "POST /admin/reset":
        witness.reset();
        faults.clear();
        sendJson(response, 200, {});
        break;
      case "GET /admin/faults":
        sendJson(response, 200, { faults: FAULTS, pending: faults.pending() });
        break;
      case "POST /admin/faults":
        await this.#order(request, response);
        break;
      case "DELETE /admin/faults":
        faults.clear();
        sendJson(response, 200, { pending: [] });
        break;
      default:
        sendError(response, httpErrors.noRoute());
    }
  }

  async #order(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { faults } = this.#services;
    const read = await readJson(request);
    if ("status" in read) {
      sendError(response, read);
      return;
    }
    const order = orderSchema.safeParse(read.json);
    const fault = order.success ? parseFault(order.data.fault) : undefined;
    if (!order.success || fault === undefined) {
      const problem = order.success
        ? `there is no fault '${order.data.fault}', or its parameters are not valid`
        : z.prettifyError(order.error);
      sendError(response, httpErrors.schema([{ loc: ["body"], msg: problem, type: "value_error" }]));
      return;
    }
    const { connections, voice, afterMs, forMs } = order.data;
    try {
      const given = {
        ...(afterMs === undefined ? {} : { afterMs }),
        ...(forMs === undefined ? {} : { forMs }),
      };
      faults.order({ ...fault, ...given }, connections, voice);
      sendJson(response, 200, { pending: faults.pending() });
    } catch (error) {
      const msg = error instanceof Error ? error.message : String(error);
      sendError(response, httpErrors.schema([{ loc: ["body"], msg, type: "value_error" }]));
    }
  }
}
