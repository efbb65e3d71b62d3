import { randomBytes } from "node:crypto";
import { silentLogger } from "@tts-labs/core/logger";
import { defaultWorkerConfig } from "@tts-labs/worker/config";
import { ERROR_NAMES, type NamedError } from "@tts-labs/worker/elevenlabs/errors/error-names";
import { type RunningWorker, startWorker } from "@tts-labs/worker/main";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { HandEdge } from "../../../testkit/fleet/hand-edge.ts";
import {
  audioMessage,
  FINAL_MESSAGE,
  type ScriptedProvider,
  startScriptedProvider,
} from "../../../testkit/provider/scripted-provider.ts";

/**
 * Every error name of the provider through a whole worker: job in, scripted provider upstream, audio out. A voice
 * `socket-NAME` meets the error as a message and a close, `upgrade-NAME` as a refused upgrade, `close-NAME` as the
 * reason of a close alone; every other voice speaks.
 */
const PCM = Buffer.alloc(4_800);
const OPEN_MS = 50;

let provider: ScriptedProvider;
let worker: RunningWorker;
let edge: HandEdge;

const voiceOf = (url: string) => decodeURIComponent(/text-to-speech\/([^/]+)\//.exec(url)?.[1] ?? "");
const partsOf = (voice: string) => /^(socket|upgrade|close)-(.+)$/.exec(voice)?.slice(1) ?? ["", ""];
/** A voice's id has no "+". */
const toVoice = (form: string, name: string) => `${form}-${name.replace("+", "-plus")}`;
const toName = (name: string) => name.replace("-plus", "+");

beforeAll(async () => {
  provider = await startScriptedProvider(async (session) => {
    const [form = "", name = ""] = partsOf(voiceOf(session.url));
    if (form === "close") return session.socket.close(1008, toName(name));
    if (form === "socket") {
      session.send({ error: toName(name), message: `This is ${name}.`, code: 1008 });
      return session.socket.close(1008, `This is ${name}.`);
    }
    await session.ended();
    session.send(audioMessage(PCM));
    session.send(FINAL_MESSAGE);
  });
  provider.onUpgrade = ({ url = "" }) => {
    const [form, name = ""] = partsOf(voiceOf(url));
    if (form !== "upgrade") return undefined;
    const row: NamedError | undefined = ERROR_NAMES[toName(name)];
    const detail = { code: toName(name), status: toName(name), message: `This is ${name}.` };
    return { status: row?.httpStatus ?? 400, body: JSON.stringify({ detail }) };
  };
  const keyPrefix = `names-${randomBytes(4).toString("hex")}`;
  const redisUrl = inject("redisUrl");
  worker = await startWorker(
    defaultWorkerConfig({
      redisUrl,
      keyPrefix,
      opsPort: 0,
      elevenLabsUrl: provider.url,
      apiKey: "sk_of_the_test",
      overloadPauseMs: 1,
      poolWarm: 0,
      breakerOpenMs: OPEN_MS,
    }),
    silentLogger,
  );
  edge = await HandEdge.open(redisUrl, keyPrefix);
});
afterAll(async () => {
  await edge.close();
  await worker.close();
  await provider.close();
});

const isCircuitOpen = async () =>
  /^tts_worker_circuit_open\{[^}]*\} 1$/m.test(await (await fetch(`${worker.opsUrl}/metrics`)).text());
const socketsOf = (voice: string) => provider.sessions.filter(({ url }) => voiceOf(url) === voice).length;

async function expectOthersSpeak(): Promise<void> {
  expect(await isCircuitOpen()).toBe(false);
  const { result } = await edge.speak("Good morning.", { voice: "another" });
  expect(result.outcome).toEqual({ kind: "completed" });
}

async function expectFailing(voice: string, code: string, facts: object): Promise<void> {
  for (let i = 0; i < 2; i++) {
    const { result, pcm } = await edge.speak("Good morning.", { voice });
    expect(result.outcome).toMatchObject({ kind: "failed", code, facts });
    expect(pcm).toHaveLength(0);
  }
}

/** As the table says, and by the end of the test everybody speaks again. */
async function expectOpened(): Promise<void> {
  await vi.waitFor(async () => expect(await isCircuitOpen()).toBe(true), { interval: 5 });
  await vi.waitFor(async () => {
    const { result } = await edge.speak("Good morning.", { voice: "another" });
    expect(result.outcome).toEqual({ kind: "completed" });
  });
}

const named = Object.entries(ERROR_NAMES);

describe("two requests that the provider answers with one of its error names harm no other", () => {
  it.each(named)("%s as a message", async (name, row) => {
    const voice = toVoice("socket", name);
    const facts = { providerError: name, providerReason: `This is ${name.replace("+", "-plus")}.` };
    if (row.fault === true) {
      const { result } = await edge.speak("Good morning.", { voice });
      expect(result.outcome).toMatchObject({ kind: "failed", code: row.code, facts });
      await edge.speak("Good morning.", { voice });
      await expectOpened();
      return;
    }
    await expectFailing(voice, row.code, facts);
    await expectOthersSpeak();
    const isTriedAgain = ["provider.overloaded", "provider.idle_closed"].includes(row.code);
    expect(socketsOf(voice)).toBe(isTriedAgain ? 4 : 2);
  });

  it.each(named.filter(([, row]) => row.httpStatus !== undefined))(
    "%s as a refused upgrade",
    async (name, row) => {
      const voice = toVoice("upgrade", name);
      const code = row.httpStatus === 503 ? "provider.overloaded" : row.code;
      const facts = { providerError: name, httpStatus: row.httpStatus };
      if (row.fault === true) {
        const { result } = await edge.speak("Good morning.", { voice });
        expect(result.outcome).toMatchObject({ kind: "failed", code, facts });
        await edge.speak("Good morning.", { voice });
        await expectOpened();
        return;
      }
      await expectFailing(voice, code, facts);
      await expectOthersSpeak();
    },
  );

  it.each(["voice_access_denied", "text_too_short", "quota_exceeded"])(
    "%s as the reason of a close",
    async (name) => {
      await expectFailing(toVoice("close", name), ERROR_NAMES[name]?.code ?? "", {
        providerError: name,
        closeCode: 1008,
      });
      await expectOthersSpeak();
    },
  );

  it.each(["socket", "upgrade"])(
    "a name that is in no table, by %s: refused, told, and asked for once",
    async (form) => {
      const voice = toVoice(form, "brand_new_error");
      const before = socketsOf(voice);
      await expectFailing(voice, "provider.refused", { providerError: "brand_new_error" });
      await expectOthersSpeak();
      if (form === "socket") expect(socketsOf(voice) - before).toBe(2);
    },
  );
});
