import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { type KeyedEdges, startKeyedEdges } from "../../../testkit/access/keyed-edges.ts";
import { JsonSocketClient } from "../../../testkit/clients/json-socket.ts";

const SOCKET = "/v1/text-to-speech/simEnglishGrace0000A/stream-input?output_format=pcm_24000";
const SPEAK = [{ text: " " }, { text: "Who asks? " }, { text: "" }];

let edges: KeyedEdges;
beforeAll(async () => {
  edges = await startKeyedEdges({ redisUrl: inject("redisUrl") });
});
afterEach(async () => {
  await expect.poll(() => edges.edge.counts()).toMatchObject({ sessions: 0, utterances: 0 });
});
afterAll(() => edges.close());

const open = (headers: Record<string, string> = {}, query = "") =>
  JsonSocketClient.open(edges.edge.url, `${SOCKET}${query}`, headers);

async function spoke(client: JsonSocketClient): Promise<boolean> {
  await expect.poll(() => client.closed).toBeDefined();
  return client.closed?.code === 1000 && client.audio().length > 0;
}

const makeToken = (type: string, headers: Record<string, string>) =>
  fetch(`${edges.edge.url}/v1/single-use-token/${type}`, { method: "POST", headers });

describe("ElevenLabs' clients at an edge that asks for keys", () => {
  test("show theirs in xi-api-key, or in the first message", async () => {
    const { key } = await edges.makeKey("acme");
    const byHeader = await open({ "xi-api-key": key });
    byHeader.send(...SPEAK);
    expect(await spoke(byHeader)).toBe(true);
    for (const field of ["xi_api_key", "xi-api-key"]) {
      const byMessage = await open();
      byMessage.send({ text: " ", [field]: key }, ...SPEAK.slice(1));
      expect(await spoke(byMessage)).toBe(true);
    }
  });

  test("are told over the socket that their key is missing or wrong, and it closes with 1008", async () => {
    const without = await open();
    without.send(...SPEAK);
    await expect.poll(() => without.closed?.code).toBe(1008);
    expect(without.messages).toEqual([expect.objectContaining({ error: "authentication_required" })]);
    const wrong = await open({ "xi-api-key": "sk_wrong" });
    await expect.poll(() => wrong.closed?.code).toBe(1008);
    expect(wrong.messages).toEqual([expect.objectContaining({ code: 1008, error: "invalid_api_key" })]);
    const later = await open();
    later.send({ text: " ", xi_api_key: "sk_wrong" });
    await expect.poll(() => later.closed?.code).toBe(1008);
    expect(later.messages).toEqual([expect.objectContaining({ error: "invalid_api_key" })]);
  });

  test("are told over HTTP in ElevenLabs' form", async () => {
    for (const [headers, code] of [
      [{}, "missing_api_key"],
      [{ "xi-api-key": "sk_wrong" }, "unauthorized"],
    ] as const) {
      const response = await fetch(`${edges.edge.url}/v1/voices`, { headers });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ detail: { type: "authentication_error", code } });
    }
  });

  test("get a token for a page, which opens one socket and no second", async () => {
    const { key } = await edges.makeKey("acme");
    const made = await makeToken("tts_websocket", { "xi-api-key": key });
    expect(made.status).toBe(200);
    const { token } = (await made.json()) as { readonly token: string };
    const first = await open({}, `&single_use_token=${token}`);
    first.send(...SPEAK);
    expect(await spoke(first)).toBe(true);
    const second = await open({}, `&single_use_token=${token}`);
    await expect.poll(() => second.closed?.code).toBe(1008);
    expect((await makeToken("tts_websocket", {})).status).toBe(401);
    expect((await makeToken("realtime_scribe", { "xi-api-key": key })).status).toBe(422);
  });
});
