import { type ConnectOptions, SpeechClient } from "@tts-labs/client/speech-client";
import { SpeechError } from "@tts-labs/client/speech-error";
import type { Utterance } from "@tts-labs/client/utterance";
import type { ClientMessage } from "@tts-labs/protocol/client-message";
import { expect, onTestFinished } from "vitest";
import { HEADER, STARTED } from "../../../testkit/clients/one-utterance.ts";
import { FakeEdge, type FakeEdgeOptions } from "../../../testkit/fleet/fake-edge.ts";
import type { FakeConnection } from "../../../testkit/fleet/fake-session.ts";

export const TEXT = "Der Zug nach Hamburg fährt heute von Gleis sieben.";

/** Ends with the test, as all that is opened here. */
export async function openEdge(options: FakeEdgeOptions = {}): Promise<FakeEdge> {
  const edge = await FakeEdge.start(options);
  onTestFinished(() => edge.close());
  return edge;
}

/** The reader, with what it tells of its connection. */
export async function openClient(options: ConnectOptions) {
  const client = await SpeechClient.connect(options);
  onTestFinished(async () => void (await client.close()));
  const states: string[] = [];
  client.on("reconnecting", ({ attempt }) => states.push(`reconnecting ${attempt}`));
  client.on("resumed", () => states.push("resumed"));
  client.on("error", ({ code }) => states.push(code));
  return { client, states };
}

export async function openBoth(edge: FakeEdgeOptions = {}, options: Partial<ConnectOptions> = {}) {
  const server = await openEdge(edge);
  const { client } = await openClient({ url: server.url, ...options });
  return { server, client };
}

/** As a listener who obeys splices hears it; `seams` are the samples at which chunks did not join. */
export async function heardOf(utterance: Utterance): Promise<{ pcm: Int16Array; seams: number[] }> {
  const pcm: number[] = [];
  const seams: number[] = [];
  for await (const { firstSample, samples, splice } of utterance) {
    if (splice === true) pcm.length = firstSample;
    else if (firstSample !== pcm.length) seams.push(firstSample);
    pcm.push(...samples);
  }
  return { pcm: Int16Array.from(pcm), seams };
}

/** Without telling thousands of samples when they differ. */
export function expectSame(pcm: Int16Array | undefined, expected: Int16Array): void {
  expect(pcm?.length).toBe(expected.length);
  expect(pcm?.findIndex((sample, i) => sample !== expected[i])).toBe(-1);
}

export const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof SpeechError ? error.code : error),
  );

/** Without the pings, which are the connection's own affair. */
export const spokenOf = (messages: readonly ClientMessage[]) =>
  messages.filter(({ type }) => type !== "ping");

export const typesOf = (messages: readonly ClientMessage[]) => spokenOf(messages).map(({ type }) => type);

export const textsOf = (messages: readonly ClientMessage[]) =>
  messages.flatMap((message) => (message.type === "text" ? [message.text] : []));

/** An edge's `onMessage`: opens the utterance, sends one second of audio and no more. */
export function hanging(message: ClientMessage, connection: FakeConnection): boolean {
  if (message.type !== "text") return message.type === "cancel" || message.type === "stream_end";
  connection.send(STARTED);
  connection.sendFrame(HEADER, new Uint8Array(48_000));
  return true;
}
