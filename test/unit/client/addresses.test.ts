import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { SpeechClient } from "@tts-labs/client/speech-client";
import { SpeechError } from "@tts-labs/client/speech-error";
import { fetchVoices } from "@tts-labs/client/voices";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocket as ForeignWebSocket } from "ws";
import { FAKE_VOICES } from "../../../testkit/fleet/fake-edge.ts";
import { codeOf, openBoth, openEdge, TEXT } from "./client-fixture.ts";

const errorOf = (promise: Promise<unknown>): Promise<SpeechError> =>
  promise.then(
    () => expect.fail("it was no error"),
    (error: unknown) => (error instanceof SpeechError ? error : expect.fail(String(error))),
  );

describe("an address", () => {
  it.each([
    ["localhost:8006", "http://localhost:8006"],
    ["127.0.0.1:8006", "http://127.0.0.1:8006"],
    ["tts.example.com", "http://tts.example.com"],
    ["ftp://tts.example.com", "http://tts.example.com"],
    ["", "http://localhost:8006"],
  ])(
    "without http or https, such as %j, is answered with one sentence that says how it would be right",
    async (url, right) => {
      const error = await errorOf(SpeechClient.connect({ url }));
      expect(error.code).toBe("client.invalid_address");
      expect(error.message).toBe(
        `"${url}" is no address of a server: it begins with http:// or https://, as in ${right}.`,
      );
      expect(error.retryable).toBe(false);
    },
  );

  it("that is asked for anew is looked at each time", async () => {
    const { url } = await openEdge();
    let asked = 0;
    const client = await SpeechClient.connect({ url: () => (asked++ === 0 ? url : "localhost:1") });
    onTestFinished(async () => void (await client.close()));
    expect(await codeOf(client.voices())).toBe("client.invalid_address");
  });
});

describe("a runtime without a WebSocket", () => {
  it("is told what to do, and speaks with one that is given", async () => {
    const { url } = await openEdge();
    vi.stubGlobal("WebSocket", undefined);
    onTestFinished(() => void vi.unstubAllGlobals());
    const error = await errorOf(SpeechClient.connect({ url }));
    expect(error.code).toBe("client.no_websocket");
    expect(error.message).toMatch(/Node\.js 22 or later.*option webSocket/);
    const client = await SpeechClient.connect({ url, webSocket: ForeignWebSocket });
    onTestFinished(async () => void (await client.close()));
    expect(await client.speak(TEXT).finished).toMatchObject({ outcome: "completed" });
  });
});

describe("the server's voices", () => {
  it("are listed by the client, whatever form its address has", async () => {
    const { client, server } = await openBoth();
    const voices = await client.voices();
    expect(voices.map(({ id }) => id)).toEqual(FAKE_VOICES.map((it) => it.voice_id));
    expect(await fetchVoices(`${server.url.replace("http", "ws")}/api/v1/stream`)).toEqual(voices);
  });

  it("are refused with the server's own error and the request's id, or with what became of the connection", async () => {
    const server = createServer((_request, response) => {
      response.writeHead(503, { "content-type": "application/json", "x-request-id": "req_1" });
      response.end(JSON.stringify({ code: "capacity.overloaded", message: "Later.", retryable: true }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await errorOf(fetchVoices(url))).toMatchObject({
      code: "capacity.overloaded",
      message: "Later.",
      retryable: true,
      requestId: "req_1",
    });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect(await codeOf(fetchVoices(url))).toBe("client.connect_failed");
  });
});

describe("the id of the connection", () => {
  const failing = { code: "provider.fault", message: "It failed.", retryable: true } as const;

  it("stands in an error of an utterance, in one of none, and in the reason of the end", async () => {
    const { client } = await openBoth({
      onMessage: (message, connection) => {
        if (message.type !== "text") return false;
        if (message.text === TEXT) connection.send({ type: "error", ...failing });
        else connection.close(4509);
        return true;
      },
    });
    const { request_id } = client.session;
    expect(request_id).not.toBe("");
    const refused = await errorOf(client.speak(TEXT).finished);
    expect(refused).toMatchObject({ ...failing, requestId: request_id });
    const lost = await errorOf(client.speak("Und weg.").finished);
    expect(lost).toMatchObject({ code: "protocol.message_too_large", requestId: request_id });
    expect((await client.closed).requestId).toBe(request_id);
  });

  it("is not known where no server has answered", async () => {
    const { requestId, code } = await errorOf(SpeechClient.connect({ url: "http://127.0.0.1:1" }));
    expect({ requestId, code }).toEqual({ requestId: undefined, code: "client.connect_failed" });
  });
});
