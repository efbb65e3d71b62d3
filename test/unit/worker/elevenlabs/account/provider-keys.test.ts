import { toProviderKeys } from "@tts-labs/worker/elevenlabs/account/provider-keys";
import { toKeyId } from "@tts-labs/worker/elevenlabs/route";
import { expect, it } from "vitest";

const keysOf = (apiKey: string | undefined, apiKeys?: string, slots = 0) =>
  toProviderKeys({ apiKey, apiKeys, slots });

it("no key at all is one that asks for none", () => {
  expect(keysOf(undefined, undefined, 4)).toEqual([{ keyId: "none", secret: undefined, slots: 4 }]);
});

it("keys have the slots written behind them, or those of all", () => {
  expect(keysOf("sk_one", "sk_two:40, sk_three", 15)).toEqual([
    { keyId: toKeyId("sk_one"), secret: "sk_one", slots: 15 },
    { keyId: toKeyId("sk_two"), secret: "sk_two", slots: 40 },
    { keyId: toKeyId("sk_three"), secret: "sk_three", slots: 15 },
  ]);
});

it("a key listed twice counts once, as first said", () => {
  expect(keysOf("sk_one:3", "sk_one:9").map(({ slots }) => slots)).toEqual([3]);
});

it.each(["sk_secret:x", "sk_secret:1:2", "sk_sécret", "sk_se cret"])(
  "%s is refused, and not shown",
  (written) => {
    expect(() => keysOf("sk_one", written)).toThrow(expect.objectContaining({ code: "config.invalid" }));
    expect(() => keysOf("sk_one", written)).not.toThrow(/cret/);
  },
);

it("there are at most 16", () => {
  const many = Array.from({ length: 17 }, (_, i) => `sk_${i}`).join(",");
  expect(() => keysOf(undefined, many)).toThrow(/16/);
});
