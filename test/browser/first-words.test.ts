import { renderSpeech } from "@tts-labs/simulator/voice/render";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { findChromium, launchChromium } from "../../testkit/clients/chromium.ts";
import { PageVisit } from "../../testkit/clients/page-visit.ts";
import { type System, startSystem } from "../../testkit/fleet/system.ts";
import { ChaosProxy } from "../../testkit/redis/chaos-proxy.ts";

const chromiumPath = findChromium();
const VOICE = "simGermanAnna000000A";
const SENTENCE = "Der Zug nach Köln fährt heute von Gleis sieben.";
/** A word is lit in the first picture drawn after it has been heard; a busy machine draws late. */
const LATEST_LIGHT_MS = 250;

describe.skipIf(chromiumPath === undefined)("the page, with the whole system", () => {
  let system: System;
  let browser: Browser;

  beforeAll(async () => {
    system = await startSystem({ redisUrl: inject("redisUrl") });
    browser = await launchChromium(chromiumPath ?? "");
  });
  afterAll(async () => {
    await browser?.close();
    await system?.close();
  });

  it("plays a German sentence without a gap and lights its words in time", async () => {
    const { pcm } = await renderSpeech({ text: SENTENCE, voice: VOICE });
    const samples = pcm.byteLength / 2;
    // The sentence was chosen to be about 3.8 s long.
    expect(samples / 24_000).toBeGreaterThan(3.6);
    expect(samples / 24_000).toBeLessThan(4);

    const person = await PageVisit.open(browser, system.url);
    await person.page.getByLabel("Voice").selectOption(VOICE);
    await person.speak(SENTENCE);
    await person.until("most has been heard", ({ figures }) => figures.heardMs > 2_500);
    const screenshot = await person.screenshot("speaking");
    const end = await person.until("it has been heard", ({ outcome }) => outcome !== undefined);

    console.log(`first audio after ${end.figures.firstAudioMs?.toFixed(0)} ms; screenshot: ${screenshot}`);
    expect(end.outcome).toBe("completed");
    expect(end.figures).toMatchObject({ underruns: 0, playedSamples: samples, receivedSamples: samples });
    expect(end.words.map(({ text }) => text)).toEqual(SENTENCE.split(" "));
    for (const { text, startMs = Number.NaN, litAtMs = Number.NaN } of end.words) {
      expect(litAtMs, text).toBeGreaterThanOrEqual(startMs);
      expect(litAtMs - startMs, text).toBeLessThan(LATEST_LIGHT_MS);
    }
    const starts = end.words.map(({ startMs = Number.NaN }) => startMs);
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    expect(person.complaints).toEqual([]);
  });

  it("plays on without a gap while its connection is cut, each sample once", async () => {
    const proxy = await new ChaosProxy().open(Number(new URL(system.url).port));
    try {
      const person = await PageVisit.open(browser, `http://127.0.0.1:${proxy.port}`);
      await person.page.getByLabel("Voice").selectOption(VOICE);
      await person.speak(SENTENCE);
      for (const heardMs of [100, 500]) {
        await person.until("it speaks", ({ figures }) => figures.heardMs > heardMs);
        proxy.cut();
        await person.until("the cut is noticed", ({ link }) => link === "reconnecting");
        await person.until("it is connected again", ({ link }) => link === "open");
      }
      const end = await person.until("it has been heard", ({ outcome }) => outcome !== undefined);
      const samples = (await renderSpeech({ text: SENTENCE, voice: VOICE })).pcm.byteLength / 2;
      expect(end.outcome).toBe("completed");
      expect(end.figures).toMatchObject({ underruns: 0, playedSamples: samples, receivedSamples: samples });
      expect(end.words.every(({ litAtMs }) => litAtMs !== undefined)).toBe(true);
      expect(person.complaints).toEqual([]);
    } finally {
      await proxy.close();
    }
  });

  it("speaks again on the same page: typed like a language model, then stopped", async () => {
    const person = await PageVisit.open(browser, system.url, { width: 390, height: 844, dark: true });
    await person.page.getByLabel("Voice").selectOption(VOICE);
    await person.page.getByRole("switch", { name: "Type like an LLM" }).check({ force: true });
    await person.speak(SENTENCE);
    const end = await person.until("it has been heard", ({ outcome }) => outcome !== undefined);
    expect(end).toMatchObject({ outcome: "completed", figures: { underruns: 0 } });
    expect(end.figures.playedSamples).toBe(end.figures.receivedSamples);
    expect(end.words.every(({ litAtMs }) => litAtMs !== undefined)).toBe(true);

    await person.speak(SENTENCE);
    await person.until(
      "it speaks",
      ({ figures, activity }) => activity === "speaking" && figures.heardMs > 300,
    );
    await person.screenshot("mobile-speaking");
    await person.page.keyboard.press("Escape");
    await person.until("it is over", ({ activity }) => activity === "idle");
    expect(person.complaints).toEqual([]);
  });
});
