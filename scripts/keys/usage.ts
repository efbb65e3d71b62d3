import { monthOf, USAGE_NAMES, type Usage, UsageLedger } from "@tts-labs/core/access/usage-ledger";
import { atRedis } from "./at-redis.ts";
import type { KeysContext, UsageOptions } from "./options.ts";

/** What tenants have used; accounts of utterances whose edge has died are closed first. */
export function showUsage(options: UsageOptions, context: KeysContext): Promise<number> {
  return atRedis(context, async (redis, keys) => {
    const ledger = new UsageLedger(redis, keys);
    const month = options.month ?? monthOf(Date.now());
    const tenants = options.tenant === undefined ? await ledger.tenants() : [options.tenant];
    const all: (Usage & { readonly tenant: string })[] = [];
    for (const tenant of tenants) {
      await ledger.settleLost(tenant);
      all.push({ tenant, ...(await ledger.totals(tenant, month)) });
    }
    if (options.json === true) context.print(JSON.stringify({ month, tenants: all }));
    else if (all.length === 0) context.print("No tenant has used anything yet.");
    else context.print(usageTable(all));
  });
}

function usageTable(all: readonly (Usage & { readonly tenant: string })[]): string {
  const rows = all.map((usage) => [usage.tenant, ...USAGE_NAMES.map((name) => String(usage[name]))]);
  const table = [["tenant", ...USAGE_NAMES], ...rows];
  const widths = table[0]?.map((_, i) => Math.max(...table.map((row) => row[i]?.length ?? 0))) ?? [];
  const lines = table.map(([tenant = "", ...numbers]) =>
    [tenant.padEnd(widths[0] ?? 0), ...numbers.map((it, i) => it.padStart(widths[i + 1] ?? 0))].join("  "),
  );
  return [...lines, "Text in characters, delivered and heard in samples."].join("\n");
}
