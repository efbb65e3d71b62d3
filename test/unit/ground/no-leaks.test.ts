import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { countTests, type VitestReport } from "../../../scripts/test-counts.ts";
import { root } from "../../../scripts/tools.ts";

mkdirSync(join(root, ".run"), { recursive: true });
/** Inside the project, so that the planted tests find vitest. */
const folder = mkdtempSync(join(root, ".run", "leaks-"));
afterAll(() => rmSync(folder, { recursive: true }));

type FileReport = VitestReport["testResults"][number] & { readonly name: string; readonly message: string };

const planted: Readonly<Record<string, string>> = {
  "socket.test.ts": `it("a", async () => {
    const server = createServer();
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    connect(server.address().port, "127.0.0.1");
  });`,
  "timer.test.ts": 'it("a", () => { setTimeout(() => {}, 60_000); });',
  "process.test.ts": 'it("a", () => { spawn("sleep", ["3"]); });',
  "tidy.test.ts": `it("a", async () => {
    const server = createServer();
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    setTimeout(() => server.close(), 300);
  });`,
  "broken.test.ts": 'import "./gone.ts";',
};

it("a file that leaves a socket, a timer or a process open fails, one that closes them soon does not", {
  timeout: 120_000,
}, async () => {
  const imports = `import { spawn } from "node:child_process";
    import { connect, createServer } from "node:net";
    import { it } from "vitest";\n`;
  for (const [name, text] of Object.entries(planted)) writeFileSync(join(folder, name), imports + text);
  const config = { test: { include: ["*.test.ts"], setupFiles: [join(root, "testkit/ground/no-leaks.ts")] } };
  writeFileSync(join(folder, "vitest.config.ts"), `export default ${JSON.stringify(config)};`);

  const reportFile = join(folder, "report.json");
  const args = ["run", "--root", folder, "--reporter=json", `--outputFile.json=${reportFile}`];
  const code = await new Promise((resolve) => {
    execFile(join(root, "node_modules", ".bin", "vitest"), args, (error) => resolve(error?.code ?? 0));
  });
  const report = JSON.parse(readFileSync(reportFile, "utf8")) as {
    readonly testResults: readonly FileReport[];
  };
  const said = Object.fromEntries(report.testResults.map((it) => [it.name.split("/").at(-1), it.message]));
  expect(code).toBe(1);
  expect(said["socket.test.ts"]).toMatch(/leaves open: .*TCPSocketWrap/);
  expect(said["socket.test.ts"]).toMatch(/TCPServerWrap/);
  expect(said["timer.test.ts"]).toMatch(/leaves open: 1 Timeout/);
  expect(said["process.test.ts"]).toMatch(/leaves open: .*1 ProcessWrap/);
  expect(said["tidy.test.ts"]).toBe("");
  // Four tests ran and passed; four files failed: three accused, one that could not be read.
  expect(countTests(report)).toEqual({ passed: 4, failed: 4, skipped: 0 });
});

it("a report that is missing counts as nothing", () => {
  expect(countTests(undefined)).toEqual({ passed: 0, failed: 0, skipped: 0 });
});

it("skipped and failed tests are counted one by one, a failed file only when no test of it failed", () => {
  const file = (status: string, ...tests: string[]) => ({
    status,
    assertionResults: tests.map((it) => ({ status: it })),
  });
  const testResults = [file("passed", "passed", "skipped", "todo"), file("failed", "failed", "passed")];
  expect(countTests({ testResults })).toEqual({ passed: 2, failed: 1, skipped: 2 });
});
