import { ByteBudget } from "@tts-labs/core/async/byte-budget";
import { HeldMessages } from "@tts-labs/edge/budget/held-messages";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

const KIB = 1_024;
const MANY = 1_000_000;
const bytesOf = (text: string) => new TextEncoder().encode(text);

function takeAll(held: HeldMessages): [string, boolean][] {
  const taken: [string, boolean][] = [];
  while (!held.isEmpty)
    held.shift((bytes, isBinary) => taken.push([Buffer.from(bytes).toString(), isBinary]));
  return taken;
}

describe("held messages", () => {
  test("come out as they came in, in order, whatever their sizes and whenever they are taken", async () => {
    const message = fc.tuple(fc.string({ maxLength: 9_000 }), fc.boolean(), fc.nat(3));
    await fc.assert(
      fc.property(fc.array(message, { maxLength: 60 }), (plan) => {
        const shared = new ByteBudget(8 * KIB * KIB);
        const held = new HeldMessages(MANY, 4 * KIB * KIB, shared);
        const expected: [string, boolean][] = [];
        const taken: [string, boolean][] = [];
        for (const [text, isBinary, takes] of plan) {
          expect(held.push(bytesOf(text), isBinary)).toBe(true);
          expected.push([text, isBinary]);
          for (let i = 0; i < takes; i++)
            held.shift((bytes, binary) => taken.push([Buffer.from(bytes).toString(), binary]));
        }
        taken.push(...takeAll(held));
        expect(taken).toEqual(expected.map(([text, binary]) => [Buffer.from(text).toString(), binary]));
        expect(shared.takenBytes).toBe(0);
      }),
    );
  });

  test("are refused beyond their own bound, and beyond the one they share", () => {
    const shared = new ByteBudget(200 * KIB);
    const first = new HeldMessages(MANY, 150 * KIB, shared);
    const second = new HeldMessages(MANY, 150 * KIB, shared);
    const fill = (held: HeldMessages) => {
      let count = 0;
      while (held.push(new Uint8Array(KIB), true)) count++;
      return count;
    };
    expect(fill(first)).toBeGreaterThan(120);
    expect(fill(second)).toBeLessThan(80);
    expect(shared.takenBytes).toBeLessThanOrEqual(200 * KIB);
    first.clear();
    first.clear();
    expect(second.push(new Uint8Array(KIB), true)).toBe(true);
    second.clear();
    expect(shared.takenBytes).toBe(0);
  });

  test("of no bytes at all take room, so that they are bounded, too", () => {
    const held = new HeldMessages(MANY, 4 * KIB, new ByteBudget(4 * KIB));
    let count = 0;
    while (held.push(new Uint8Array(0), false)) count++;
    expect(count).toBe(KIB);
  });

  test("are bounded in number, too, since each costs time to take", () => {
    const held = new HeldMessages(100, KIB * KIB, new ByteBudget(KIB * KIB));
    let count = 0;
    while (held.push(new Uint8Array(1), false)) count++;
    expect(count).toBe(100);
    held.shift(() => {});
    expect(held.push(new Uint8Array(1), false)).toBe(true);
  });
});
