import { parseKeysCommand } from "./keys/command.ts";

/**
 * `npm run keys -- create|list|revoke|rotate|tenant`: the keys that edges take.
 * Exit codes: 0 done, 1 failed, 2 called wrongly.
 */
process.exitCode = await parseKeysCommand(process.argv.slice(2), {
  env: process.env,
  print: (line) => process.stdout.write(`${line}\n`),
  complain: (line) => process.stderr.write(`${line}\n`),
});
