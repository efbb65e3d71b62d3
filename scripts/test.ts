/**
 * `npm test`: the checks, then all tests; `npm test -- --project unit stream` hands its arguments to vitest
 * and leaves the checks out. `npm test -- --watch` runs the unit tests again at each change, `npm test -- --coverage`
 * says which lines ran (in the tests' own processes). The last line is `N passed, N failed, N skipped`, counted in
 * tests.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { countTests, type VitestReport } from "./test-counts.ts";
import { root, runTool } from "./tools.ts";

/** Tests have their own deadlines; this one is for a vitest that hangs. CI allows 90 min in all. */
const LIMIT_MS = 40 * 60_000;
/** A day of work. */
const WATCH_LIMIT_MS = 24 * 3_600_000;
/** Projects whose files that flood or measure are a project of their own (test/alone.ts). */
const WITH_ALONE = new Set(["integration", "fault"]);

const args = process.argv
  .slice(2)
  .flatMap((arg, i, all) =>
    all[i - 1] === "--project" && WITH_ALONE.has(arg) ? [arg, "--project", `${arg}-alone`] : [arg],
  );
// Tests start servers of their own and do bad things to them: other servers are not for them.
for (const name of ["REDIS_URL", "ELEVENLABS_API_KEY", "ELEVENLABS_URL", "PORT"]) delete process.env[name];

const checked = args.length > 0 || (await runNode("check.ts")) === 0;
if (process.env["CHROMIUM_MISSING"]) {
  console.log(`Browser tests are skipped: ${process.env["CHROMIUM_MISSING"]}.`);
}

if (args.includes("--watch")) {
  // Watching ends when its person says so, and its report is the screen. Quick tests alone where none are named.
  const projects = args.includes("--project") ? [] : ["--project", "unit"];
  const watched = args.filter((arg) => arg !== "--watch");
  process.exit(await runTool("vitest", ["watch", ...projects, ...watched], { limitMs: WATCH_LIMIT_MS }));
}

const reportFile = join(root, ".run", `tests-${process.pid}.json`);
mkdirSync(join(root, ".run"), { recursive: true });
const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`];
const code = await runTool("vitest", ["run", ...reporters, ...args], { limitMs: LIMIT_MS });

const report = readReport();
const { passed, failed, skipped } = countTests(report);
if (report === undefined) console.error("vitest left no report.");
else if (code !== 0 && failed === 0) console.error("vitest failed outside the tests; its words are above.");
if (!checked) console.error("The checks failed; their words are above the tests (npm run check).");
process.exitCode = checked && code === 0 && failed === 0 && report !== undefined ? 0 : 1;
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);

function runNode(script: string): Promise<number> {
  return runTool(process.execPath, [join(import.meta.dirname, script)]);
}

function readReport(): VitestReport | undefined {
  try {
    return JSON.parse(readFileSync(reportFile, "utf8")) as VitestReport;
  } catch {
    return undefined;
  } finally {
    rmSync(reportFile, { force: true });
  }
}
