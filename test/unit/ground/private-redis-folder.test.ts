import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { SOCKET_FILE, sweepAbandoned } from "../../../scripts/private-redis-folder.ts";

const parent = mkdtempSync(join(tmpdir(), "tts-labs-sweep-"));
afterAll(() => rmSync(parent, { recursive: true }));

const goneBy = () => spawnSync(process.execPath, ["-e", ""]).pid;
function folder(name: string): string {
  const path = join(parent, name);
  mkdirSync(path, { mode: 0o700 });
  writeFileSync(join(path, "dump.rdb"), "");
  return path;
}

it("only folders of a private Redis whose owner is gone, and whose socket nobody answers, are removed", async () => {
  const gone = goneBy();
  const abandoned = folder(`tts-labs-redis-${gone}-abcdef`);
  writeFileSync(join(abandoned, SOCKET_FILE), "");
  const owned = folder(`tts-labs-redis-${process.pid}-abcdef`);
  const others = [folder("tts-labs-redis-abcdef"), folder(`somebody-elses-${gone}-abcdef`)];
  const answering = folder(`tts-labs-redis-${gone}-unseen`);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(join(answering, SOCKET_FILE), resolve));
  await sweepAbandoned(parent);
  expect(existsSync(abandoned)).toBe(false);
  for (const kept of [owned, ...others, answering]) expect(existsSync(kept), kept).toBe(true);
  await new Promise((resolve) => server.close(resolve));
});
