import type { OpenStores } from "./stores.ts";
import { bound } from "./themes/bound.ts";
import { claiming } from "./themes/claim.ts";
import { ending } from "./themes/ending.ts";
import { order } from "./themes/order.ts";
import { parking } from "./themes/parking.ts";
import { position } from "./themes/position.ts";
import { removal } from "./themes/removal.ts";
import { succession } from "./themes/succession.ts";
import { waking } from "./themes/waking.ts";

/** What every store of streams must do: the promises of packages/core/src/stream/stream.ts, one theme a file. */
export function streamContract(open: OpenStores): void {
  order(open);
  waking(open);
  bound(open);
  claiming(open);
  succession(open);
  position(open);
  ending(open);
  removal(open);
  parking(open);
}
