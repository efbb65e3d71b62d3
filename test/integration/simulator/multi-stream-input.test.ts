import { renderSpeech } from "@tts-labs/simulator/voice/render";
import { describe, expect, it } from "vitest";
import { FLASH, GRACE, type ProviderClient, type Seen } from "./provider-client.ts";
import { SimulatorForFile } from "./simulator-for-file.ts";

const simulator = new SimulatorForFile();

const open = (query?: string) =>
  simulator.open({ route: "multi-stream-input", ...(query === undefined ? {} : { query }) });

const ofContext = (seen: readonly Seen[], id: string) =>
  seen.filter(({ json }) => json?.["contextId"] === id);
const isFinal = ({ json }: Seen) => json?.["isFinal"] === true;
const finalOf = (id: string) => (seen: readonly Seen[]) => ofContext(seen, id).some(isFinal);
const audioOf = (client: ProviderClient, id: string) =>
  Buffer.concat(
    ofContext(client.audioMessages, id).map(({ json }) => Buffer.from(String(json?.["audio"]), "base64")),
  );
const spoken = async (text: string) => (await renderSpeech({ text, voice: GRACE })).pcm;

describe("a multi-stream-input socket", () => {
  it("speaks contexts side by side, each with its own final", async () => {
    const client = await open();
    for (const context_id of ["a", "b"]) {
      client.send({ text: " ", context_id }, { text: `This is context ${context_id}. `, context_id });
      client.send({ context_id, flush: true }, { context_id, close_context: true });
    }
    await client.until((seen) => finalOf("a")(seen) && finalOf("b")(seen));
    for (const id of ["a", "b"]) {
      expect(audioOf(client, id).equals(await spoken(`This is context ${id}. `))).toBe(true);
      expect(ofContext(client.seen, id).filter(isFinal)).toHaveLength(1);
      expect(ofContext(client.seen, id).at(-1)?.json?.["isFinal"]).toBe(true);
    }
    client.send({ close_socket: true });
    expect((await client.closed).code).toBe(1000);
    expect(simulator.report().violations).toEqual({});
  });

  it("makes no final of a flush, and keeps the context", async () => {
    const client = await open();
    client.send({ text: "Real text may open it. ", context_id: "a", flush: true });
    await client.until((seen) => seen.length > 0);
    client.send({ text: "And go on.", context_id: "a" }, { close_socket: true });
    await client.closed;
    expect(audioOf(client, "a").equals(await spoken("Real text may open it. And go on."))).toBe(true);
    expect(client.finals).toHaveLength(1);
  });

  it("drops what was not flushed when a context is closed", async () => {
    const client = await open();
    client.send(
      { text: "Nobody will hear this.", context_id: "a" },
      { context_id: "a", close_context: true },
    );
    await client.until(finalOf("a"));
    expect(client.seen).toHaveLength(1);
    client.close();
    await client.closed;
  });

  it("speaks all when a context is closed in auto mode", async () => {
    const client = await open(`${FLASH}&auto_mode=true`);
    client.send({ text: "All of this.", context_id: "a" }, { context_id: "a", close_context: true });
    await client.until(finalOf("a"));
    expect(audioOf(client, "a").equals(await spoken("All of this."))).toBe(true);
    client.close();
    await client.closed;
  });

  it("dies of a sixth live context, and says why", async () => {
    const client = await open();
    for (const context_id of "abcdef") client.send({ text: " ", context_id });
    const closed = await client.closed;
    expect(client.errors.map(({ json }) => json?.["error"])).toEqual(["max_active_conversations"]);
    expect(closed.code).toBe(1008);
    expect(simulator.report().violations).toEqual({ "too-many-contexts": 1 });
  });

  it("frees a slot with the final message", async () => {
    const client = await open();
    for (const context_id of "abcde") client.send({ text: " ", context_id });
    client.send({ context_id: "a", close_context: true });
    await client.until(finalOf("a"));
    client.send({ text: "Sixth.", context_id: "f", flush: true });
    await client.until((seen) => ofContext(seen, "f").length > 0);
    expect(client.errors).toEqual([]);
    client.close();
    await client.closed;
  });

  it("creates a context for a keep-alive of an unknown id, whose settings then come too late", async () => {
    const client = await open();
    client.send({ text: "", context_id: "a" }, { text: " ", context_id: "a", voice_settings: { speed: 1 } });
    expect((await client.closed).code).toBe(1008);
    expect(client.errors[0]?.json?.["error"]).toBe("invalid_input");
  });

  it("drops text for a finished context, but takes its id again with a new opening", async () => {
    const client = await open();
    const context_id = "a";
    client.send({ text: " ", context_id }, { context_id, close_context: true });
    await client.until(finalOf("a"));
    client.send({ text: "Too late.", context_id, flush: true });
    client.send(
      { text: " ", context_id },
      { text: "Once more.", context_id, flush: true },
      { close_socket: true },
    );
    await client.closed;
    expect(audioOf(client, "a").equals(await spoken("Once more."))).toBe(true);
    expect(simulator.report().violations).toEqual({ "text-after-end": 1 });
  });

  it("has a default context for messages without an id", async () => {
    const client = await open();
    client.send({ text: " " }, { text: "No id at all.", flush: true }, { close_socket: true });
    await client.closed;
    expect(client.audio.equals(await spoken("No id at all."))).toBe(true);
  });

  it("is closed when a context is idle, unless it is kept alive", async () => {
    const client = await open(`${FLASH}&inactivity_timeout=1`);
    client.send({ text: " ", context_id: "a" });
    const beganMs = client.nowMs;
    const keepAlive = setInterval(() => client.send({ text: "", context_id: "a" }), 200);
    setTimeout(() => clearInterval(keepAlive), 900);
    const closed = await client.closed;
    clearInterval(keepAlive);
    expect(client.errors[0]?.json?.["error"]).toBe("input_timeout_exceeded");
    expect(closed.atMs - beganMs).toBeGreaterThan(1_700);
  });
});
