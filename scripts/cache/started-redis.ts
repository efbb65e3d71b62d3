import { join } from "node:path";
import { root } from "../tools.ts";

/** The file in which `npm start` leaves the address of its private Redis. */
export const STARTED_REDIS_FILE: string = join(root, ".run", "redis-url");
