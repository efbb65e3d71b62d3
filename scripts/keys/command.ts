import { Command, CommanderError, Option } from "commander";
import { create, list, revoke, rotate, showTenant } from "./desk.ts";
import {
  type CreateOptions,
  type KeysContext,
  keyName,
  limit,
  month,
  origins,
  type PolicyOptions,
  type RotateOptions,
  tenant,
  time,
  type UsageOptions,
  weight,
} from "./options.ts";
import { showUsage } from "./usage.ts";

const REDIS = `Keys are in the Redis of REDIS_URL and REDIS_KEY_PREFIX, as for the edge; without them, in that of the
"npm start" which runs in this folder. An edge asks for keys when ACCESS=keys, or when it listens beyond loopback.`;

const HELP_WIDTH = 120;

/** @returns the exit code */
export async function parseKeysCommand(argv: readonly string[], context: KeysContext): Promise<number> {
  let exitCode = 0;
  const program = new Command("keys").description("API keys and tenants: who may use the edges.");
  program.exitOverride().addHelpText("after", `\n${REDIS}`);
  program.configureOutput({
    writeOut: (text) => context.print(text.trimEnd()),
    writeErr: (text) => context.complain(text.trimEnd()),
    getOutHelpWidth: () => HELP_WIDTH,
    getErrHelpWidth: () => HELP_WIDTH,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  const policy = (command: Command) =>
    command
      .option("-l, --limit <name=number>", "limit of the whole tenant; may be given several times", limit)
      .option("-o, --origins <list>", "origins of pages that may use the tenant's keys", origins)
      .option("-w, --weight <number>", "share when provider slots are full, from 1 to 100", weight)
      .option("--json", "print one JSON object");
  policy(
    program
      .command("create")
      .description("make a key and show it, this once")
      .requiredOption("-t, --tenant <name>", "tenant that the key belongs to", tenant)
      .option("-n, --name <text>", "what people call the key", keyName, "")
      .addOption(
        new Option("-r, --role <role>", "what the key is good for")
          .choices(["client", "operator"])
          .default("client"),
      )
      .option("-e, --expires <time>", "the key is valid for so long: 12h, 90d", time),
  ).action(async (options: CreateOptions) => {
    exitCode = await create(options, context);
  });
  program
    .command("list")
    .description("all valid keys, without their secrets")
    .option("--json", "print one JSON object")
    .action(async (options: { readonly json?: boolean }) => {
      exitCode = await list(options, context);
    });
  program
    .command("revoke")
    .description("take a key back: edges refuse it, and close what it has opened, within 2 seconds")
    .argument("<id>", "of the key, as list shows it")
    .option("--json", "print one JSON object")
    .action(async (id: string, options: { readonly json?: boolean }) => {
      exitCode = await revoke(id, options, context);
    });
  program
    .command("rotate")
    .description("make a key like another, which is then revoked")
    .argument("<id>", "of the key to be replaced, as list shows it")
    .option("-g, --grace <time>", "the older key is valid for so long yet: 30s, 1h", time, 0)
    .option("--json", "print one JSON object")
    .action(async (id: string, options: RotateOptions) => {
      exitCode = await rotate(id, options, context);
    });
  policy(
    program
      .command("tenant")
      .description("show a tenant's limits, origins and weight, and change those that are given")
      .argument("<name>", "of the tenant", tenant),
  ).action(async (name: string, options: PolicyOptions) => {
    exitCode = await showTenant(name, options, context);
  });
  program
    .command("usage")
    .description("what tenants have used in a month: asked is synthesized, cached and refused together")
    .option("-t, --tenant <name>", "only this tenant", tenant)
    .option("-m, --month <yyyy-mm>", "in UTC; else the present one", month)
    .option("--json", "print one JSON object")
    .action(async (options: UsageOptions) => {
      exitCode = await showUsage(options, context);
    });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
}
