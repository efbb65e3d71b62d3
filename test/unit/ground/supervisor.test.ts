import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, expect, it, vi } from "vitest";
import { Supervisor } from "../../../scripts/supervisor/supervisor.ts";

const folder = mkdtempSync(join(tmpdir(), "tts-labs-supervisor-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A part that is ready at once, says its pid, and ends on SIGTERM; `more` is run besides. */
function program(name: string, more = ""): string {
  const file = join(folder, `${name}.mjs`);
  writeFileSync(
    file,
    `import { createServer } from "node:http";
     process.on("SIGTERM", () => { console.log("${name} asked to end"); process.exit(0); });
     ${more}
     console.log("${name} pid", process.pid);
     const server = createServer((_, response) => response.end());
     server.listen(0, "127.0.0.1", () => {
       const url = "http://127.0.0.1:" + server.address().port;
       if (process.env.SILENT === undefined) process.send({ kind: "listening", url });
     });`,
  );
  return file;
}

function part(name: string, more?: string) {
  const lines: string[] = [];
  return {
    name,
    file: program(name, more),
    env: { ...process.env } as NodeJS.ProcessEnv,
    onLine: (line: string) => lines.push(line),
    lines,
    pid: () => vi.waitFor(() => pidIn(lines), 5_000),
  };
}

function pidIn(lines: readonly string[]): number {
  const said = lines.map((line) => / pid (\d+)/.exec(line)?.[1]).find(Boolean);
  if (said === undefined) throw new Error("it has not said its pid yet");
  return Number(said);
}

const lives = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

it("parts end in reverse of their starting, once, however often one asks", async () => {
  const supervisor = new Supervisor();
  const said: string[] = [];
  const onLine = (line: string) => said.push(line);
  const [first, second] = [part("first"), part("second")];
  await supervisor.start({ ...first, onLine: (line) => first.lines.push(line) && onLine(line) });
  await supervisor.start({ ...second, onLine: (line) => second.lines.push(line) && onLine(line) });
  const pids = [await first.pid(), await second.pid()];
  await Promise.all([supervisor.stop(), supervisor.stop()]);
  await supervisor.stop();
  expect(said.slice(2)).toEqual(["second asked to end", "first asked to end"]);
  expect(pids.map(lives)).toEqual([false, false]);
});

it("a part is restarted as it was started, and its successor is ended with the rest", async () => {
  const supervisor = new Supervisor();
  const changed = part("changed");
  await supervisor.start(changed);
  const former = await changed.pid();
  changed.lines.length = 0;
  await supervisor.restart("changed");
  const successor = await changed.pid();
  expect([lives(former), lives(successor)]).toEqual([false, true]);
  expect(supervisor.isStopping).toBe(false);
  await supervisor.stop();
  expect(lives(successor)).toBe(false);
});

it("a part that does not start again says why; the rest runs on, and it may be restarted once more", async () => {
  const supervisor = new Supervisor();
  const [sound, changed] = [part("steady"), part("mistaken")];
  await supervisor.start(sound);
  await supervisor.start(changed);
  program("mistaken", "syntax error(");
  await expect(supervisor.restart("mistaken")).rejects.toThrow("The mistaken could not start (exit code 1).");
  expect(lives(await sound.pid())).toBe(true);
  program("mistaken");
  changed.lines.length = 0;
  await supervisor.restart("mistaken");
  expect(lives(await changed.pid())).toBe(true);
  await supervisor.stop();
});

it("a restarted part that ends by itself later is named", async () => {
  const supervisor = new Supervisor();
  const frail = part("later", 'process.on("SIGUSR2", () => process.exit(7));');
  await supervisor.start(frail);
  await frail.pid();
  frail.lines.length = 0;
  await supervisor.restart("later");
  process.kill(await frail.pid(), "SIGUSR2");
  expect(await supervisor.failed).toBe("The later has ended by itself (exit code 7).");
  await supervisor.stop();
});

it("a part that ends by itself is named with its reason, and the rest can be ended", async () => {
  const supervisor = new Supervisor();
  const sound = part("sound");
  const frail = part("frail", 'process.on("SIGUSR2", () => process.exit(7));');
  await supervisor.start(sound);
  await supervisor.start(frail);
  process.kill(await frail.pid(), "SIGUSR2");
  expect(await supervisor.failed).toBe("The frail has ended by itself (exit code 7).");
  await supervisor.stop();
  expect(lives(await sound.pid())).toBe(false);
});

it("a part that ends before it is ready is told at once", async () => {
  const supervisor = new Supervisor();
  const broken = part("broken", "process.exit(3);");
  await expect(supervisor.start(broken)).rejects.toThrow("The broken could not start (exit code 3).");
  await supervisor.stop();
});

it("a part that says why it can't start is told with its own words", async () => {
  const supervisor = new Supervisor();
  const words = "Port 7 is taken on 127.0.0.1: end what listens there.";
  const told = `process.send({ kind: "failed", reason: ${JSON.stringify(words)} }, () => process.exit(1));`;
  await expect(supervisor.start(part("unlucky", `${told} await new Promise(() => {});`))).rejects.toThrow(
    words,
  );
  await supervisor.stop();
});

it("a stop interrupts a start, and nothing can be started afterwards", async () => {
  const supervisor = new Supervisor();
  const slow = { ...part("slow"), env: { ...process.env, SILENT: "yes" } };
  const refused = expect(supervisor.start(slow)).rejects.toThrow("aborted");
  const pid = await slow.pid();
  await supervisor.stop();
  await refused;
  expect(lives(pid)).toBe(false);
  await expect(supervisor.start(slow)).rejects.toThrow("aborted");
});

it("a part that does not heed is killed when one asks again a second later", async () => {
  const supervisor = new Supervisor();
  const heedless = 'process.removeAllListeners("SIGTERM"); process.on("SIGTERM", () => console.log("no"));';
  const deaf = part("deaf", heedless);
  await supervisor.start(deaf);
  const pid = await deaf.pid();
  const stopped = supervisor.stop();
  await vi.waitFor(() => expect(deaf.lines).toContain("no"));
  const askAgain = () => {
    void supervisor.stop();
    expect(lives(pid)).toBe(false);
  };
  await vi.waitFor(askAgain, { timeout: 4_000, interval: 100 });
  await stopped;
});

it.runIf(process.platform === "linux")("parts die with a supervisor that is killed with -9", async () => {
  const { file, env } = part("orphan");
  const main = join(folder, "main.ts");
  const supervisorFile = join(import.meta.dirname, "../../../scripts/supervisor/supervisor.ts");
  writeFileSync(
    main,
    `import { Supervisor } from ${JSON.stringify(supervisorFile)};
     const part = ${JSON.stringify({ name: "orphan", file })};
     await new Supervisor().start({ ...part, env: process.env, onLine: console.log });
     console.log("ready");`,
  );
  const parent = spawn(process.execPath, [main], { env, stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  createInterface(parent.stdout).on("line", (line) => lines.push(line));
  await vi.waitFor(() => expect(lines).toContain("ready"), 20_000);
  const pid = await vi.waitFor(() => pidIn(lines), 20_000);
  expect(lives(pid)).toBe(true);
  parent.kill("SIGKILL");
  await vi.waitFor(() => expect(lives(pid)).toBe(false), 20_000);
});
