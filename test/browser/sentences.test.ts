import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { findChromium, launchChromium } from "../../testkit/clients/chromium.ts";
import { PageVisit } from "../../testkit/clients/page-visit.ts";
import { type System, startSystem } from "../../testkit/fleet/system.ts";
import { joinedPcm, renderSentences, wordStarts } from "../../testkit/speech/joined-speech.ts";

const chromiumPath = findChromium();
const VOICE = "simGermanAnna000000A";
const SENTENCES = ["Der Zug hält in Köln.", "Bitte steigen Sie aus.", "Auf Wiedersehen!"];
/** A word is lit in the first picture drawn after it has been heard; a busy machine draws late. */
const LATEST_LIGHT_MS = 250;

describe.skipIf(chromiumPath === undefined)("the page at ?sentence_cache=true", () => {
  let system: System;
  let browser: Browser;

  beforeAll(async () => {
    system = await startSystem({ redisUrl: inject("redisUrl"), edge: { cache: true } });
    browser = await launchChromium(chromiumPath ?? "");
  });
  afterAll(async () => {
    await browser?.close();
    await system?.close();
  });

  it("lights the words of known and new sentences in time, and plays them without a gap", async () => {
    const person = await PageVisit.open(browser, `${system.url}/fastrtc?sentence_cache=true`);
    await person.page.getByLabel("Voice").selectOption(VOICE);
    for (const [known, said] of [
      [0, SENTENCES.slice(0, 2)],
      [2, [...SENTENCES].reverse()],
    ] as const) {
      system.simulator.reset();
      await person.speak(said.join(" "));
      await person.until("it speaks", ({ activity }) => activity === "speaking");
      const end = await person.until("it has been heard", ({ outcome }) => outcome !== undefined);
      const parts = await renderSentences(said, VOICE);
      const samples = joinedPcm(parts.map(({ pcm }) => pcm)).length / 2;
      expect(end.outcome).toBe("completed");
      expect(end.figures).toMatchObject({ underruns: 0, playedSamples: samples, receivedSamples: samples });
      expect(system.simulator.report().ends).toBe(said.length - known);
      expect(end.words.map(({ text }) => text)).toEqual(said.join(" ").split(" "));
      const starts = wordStarts(parts);
      for (const [i, { text, startMs = Number.NaN, litAtMs = Number.NaN }] of end.words.entries()) {
        expect(startMs, text).toBeCloseTo(starts[i]?.startMs ?? Number.NaN, 3);
        expect(litAtMs, text).toBeGreaterThanOrEqual(startMs);
        expect(litAtMs - startMs, text).toBeLessThan(LATEST_LIGHT_MS);
      }
    }
    expect(person.complaints).toEqual([]);
  });
});
