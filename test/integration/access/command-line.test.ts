import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { KEY_ANYWHERE } from "@tts-labs/core/access/api-key";
import { describe, expect, inject, test } from "vitest";

const SCRIPT = join(import.meta.dirname, "../../../scripts/keys.ts");
const keyPrefix = `test-${randomBytes(6).toString("hex")}`;

function keys(...args: readonly string[]) {
  const env = { PATH: process.env["PATH"], REDIS_URL: inject("redisUrl"), REDIS_KEY_PREFIX: keyPrefix };
  return new Promise<{ readonly code: number; readonly out: string; readonly err: string }>((resolve) => {
    execFile(process.execPath, [SCRIPT, ...args], { env }, (error, stdout, stderr) => {
      resolve({
        code: error === null ? 0 : Number(error.code),
        out: stdout.trimEnd(),
        err: stderr.trimEnd(),
      });
    });
  });
}
const json = async (...argv: readonly string[]) => JSON.parse((await keys(...argv, "--json")).out);

describe("npm run keys", () => {
  test("shows a key once: alone on its line, and never again", async () => {
    const made = await keys("create", "--tenant", "acme", "--name", "web", "--expires", "1d");
    expect(made.code).toBe(0);
    expect(made.out).toMatch(new RegExp(`^${KEY_ANYWHERE.source}$`));
    const listed = await keys("list");
    expect(listed.out).toContain("acme");
    expect(listed.out).toContain("web");
    expect(listed.out).not.toMatch(KEY_ANYWHERE);
    expect((await keys("list", "--json")).out).not.toMatch(/hash/);
  });

  test("revokes by id, and says in one sentence when there is no such key", async () => {
    const { id } = await json("create", "--tenant", "acme");
    expect(await json("revoke", id)).toEqual({ revoked: id });
    const again = await keys("revoke", id);
    expect([again.code, again.err]).toEqual([1, `There is no key ${id}.`]);
    const listed = await json("list");
    expect(listed.keys.map((it: { id: string }) => it.id)).not.toContain(id);
  });

  test("does not take a whole key for an id, nor repeat it", async () => {
    const { key } = await json("create", "--tenant", "acme");
    const { code, err } = await keys("revoke", key);
    expect(code).toBe(1);
    expect(err).toBe("Give the key's id, which is its middle part, never the whole key.");
  });

  test("rotates: another key for the same tenant, name and role; the former ends", async () => {
    const former = await json("create", "--tenant", "desk", "--role", "operator", "--name", "ops");
    const next = await json("rotate", former.id);
    expect(next).toMatchObject({ tenant: "desk", role: "operator", name: "ops", replaces: former.id });
    expect(next.key).not.toBe(former.key);
    const graced = await json("rotate", next.id, "--grace", "1h");
    const { keys: all } = await json("list");
    const left = all.find((it: { id: string }) => it.id === next.id);
    expect(Date.parse(left.expires_at) - Date.now()).toBeLessThanOrEqual(3_600_000);
    expect(all.map((it: { id: string }) => it.id)).toContain(graced.id);
    expect(all.map((it: { id: string }) => it.id)).not.toContain(former.id);
  });

  test("keeps limits, origins and weight with the tenant, and changes those that are given", async () => {
    const origins = "https://app.example.com";
    await json("create", "--tenant", "bounded", "--limit", "connections=2", "--origins", origins);
    await json(
      "tenant",
      "bounded",
      "--limit",
      "utterances=3",
      "--limit",
      "connections=none",
      "--weight",
      "4",
    );
    expect(await json("tenant", "bounded")).toMatchObject({
      tenant: "bounded",
      origins: [origins],
      weight: 4,
      limits: { utterances: 3, connections: null },
    });
  });

  test.each([
    [["create"], "--tenant"],
    [["create", "--tenant", "No Spaces"], "small letters"],
    [["create", "--tenant", "acme", "--expires", "soon"], "a number and a unit"],
    [["tenant", "acme", "--limit", "shoes=2"], "connections, utterances"],
    [["tenant", "acme", "--origins", "app.example.com/x"], "origins"],
    [["list", "--colour"], "--colour"],
  ])("%j is called wrongly, and is told what would be right", async (argv, told) => {
    const { code, out, err } = await keys(...argv);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(told);
  });

  test("explains itself", async () => {
    const { code, out } = await keys("--help");
    expect(code).toBe(0);
    for (const word of ["create", "list", "revoke", "rotate", "tenant", "REDIS_URL"])
      expect(out).toContain(word);
  });
});
