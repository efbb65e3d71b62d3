import { openPageRoutes } from "@tts-labs/edge/http/page-routes";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { findChromium, launchChromium } from "../../testkit/clients/chromium.ts";
import { cancelledAfter, HEADER, STARTED } from "../../testkit/clients/one-utterance.ts";
import { PageVisit } from "../../testkit/clients/page-visit.ts";
import { FakeEdge, type FakeEdgeOptions } from "../../testkit/fleet/fake-edge.ts";
import { humOf } from "../../testkit/speech/hum.ts";

const chromiumPath = findChromium();
if (chromiumPath === undefined) {
  console.log(
    "The page is not tested: there is no Chromium (set CHROMIUM_BIN or install chromium-headless-shell).",
  );
}

const SENTENCE = "Der Zug nach Hamburg fährt heute von Gleis sieben.";

/** Texts whose contrast is below 4.5:1, or 3:1 where they are large; disabled controls may be. */
const unreadable = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const channels = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (rgb: readonly number[]) => {
      const [r = 0, g = 0, b = 0] = rgb.slice(0, 3).map((value) => {
        const share = value / 255;
        return share <= 0.040_45 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const backdrop = (element: Element | null): number[] => {
      if (element === null) return [255, 255, 255];
      const color = channels(getComputedStyle(element).backgroundColor);
      return (color[3] ?? 1) >= 1 && color.length >= 3 ? color : backdrop(element.parentElement);
    };
    const found: string[] = [];
    for (const element of document.querySelectorAll("body *")) {
      const own = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
      const text = own.map((node) => node.textContent?.trim()).join("");
      if (text === "" || element.closest(":disabled, .visually-hidden, [hidden], .tag")) continue;
      const { color, fontSize, opacity } = getComputedStyle(element);
      const [one, two] = [luminance(channels(color)), luminance(backdrop(element))];
      const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
      const least = Number.parseFloat(fontSize) >= 24 ? 3 : 4.5;
      const isFaint = Number(opacity) < 1 && element.getAnimations().length === 0;
      if (contrast < least || isFaint) found.push(`${text.slice(0, 30)} ${contrast.toFixed(2)}`);
    }
    return found;
  });

describe.skipIf(chromiumPath === undefined)("the page, with an edge that hums", () => {
  let browser: Browser;
  const edges: FakeEdge[] = [];

  beforeAll(async () => {
    browser = await launchChromium(chromiumPath ?? "");
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    for (const edge of edges.splice(0)) await edge.close();
  });
  afterAll(() => browser?.close());

  async function visit(options: FakeEdgeOptions = {}) {
    const edge = await FakeEdge.start({ page: await openPageRoutes(), ...options });
    edges.push(edge);
    return { edge, visit: await PageVisit.open(browser, edge.url) };
  }

  it("types like a language model: words are sent one by one and shown as they are", async () => {
    const { edge, visit: person } = await visit();
    await person.page.getByRole("switch", { name: "Type like an LLM" }).check({ force: true });
    await person.speak(SENTENCE);
    const midway = await person.until("some words are written", ({ words }) => words.length >= 3);
    expect(midway.words.length).toBeLessThan(9);
    const end = await person.until("it has been heard", ({ outcome }) => outcome !== undefined);
    expect(end.outcome).toBe("completed");
    const texts = edge.received.flatMap((message) => (message.type === "text" ? [message.text] : []));
    expect(texts).toEqual(SENTENCE.match(/\S+\s*/g));
    expect(end.words.map(({ text }) => text)).toEqual(SENTENCE.split(" "));
    expect(end.figures.playedSamples).toBe(humOf(SENTENCE).pcm.length);
    expect(person.complaints).toEqual([]);
  });

  it("says who speaks instead of the chosen voice, until the next time", async () => {
    const substitute = { voice: "simGermanAnna000000A", model: "m2", reason: "provider.silent" } as const;
    const troubles: { substitute?: typeof substitute } = { substitute };
    const { visit: person } = await visit({ troubles });
    const note = person.page.locator("#note");
    await person.speak("Hallo");
    await person.until("it has been heard", ({ outcome }) => outcome !== undefined);
    expect(await note.textContent()).toMatch(/^Anna \(m2\) speaks instead\. The provider reported success/);
    expect(await note.isVisible()).toBe(true);
    delete troubles.substitute;
    await person.speak("Hallo noch einmal");
    await person.until(
      "it has been heard too",
      ({ outcome, words }) => outcome !== undefined && words.length === 3,
    );
    expect(await note.isVisible()).toBe(false);
    expect(person.complaints).toEqual([]);
  });

  it("shows a gap as a gap: audio that comes too late is an underrun", async () => {
    let resume = () => {};
    const { visit: person } = await visit({
      onMessage: (message, connection) => {
        if (message.type === "text") {
          connection.send(STARTED);
          connection.sendFrame(HEADER, new Uint8Array(4_800));
          resume = () => {
            connection.sendFrame({ ...HEADER, firstSample: 2_400, last: true }, new Uint8Array(4_800));
            const totals = {
              characters: 5,
              samples: 4_800,
              frames: 2,
              dropped_frames: 0,
              duration_ms: 200,
              splices: 0,
              replaced_samples: 0,
            };
            const latency = { first_audio_ms: 1, latency_ms: {} };
            connection.send({
              type: "stream_complete",
              time: new Date().toISOString(),
              utterance_id: "u",
              utterance: 1,
              ...totals,
              ...latency,
            });
          };
        }
        return message.type === "text" || message.type === "stream_end";
      },
    });
    await person.speak("Hallo");
    await person.until("the line has run dry", ({ figures }) => figures.underruns === 1);
    resume();
    const { figures } = await person.until("it is over", ({ outcome }) => outcome === "completed");
    expect(figures).toMatchObject({ underruns: 1, playedSamples: 4_800, receivedSamples: 4_800 });
  });

  it("stops on Escape: silence, and the server is told what was heard", async () => {
    let playedAtCancel: number | undefined;
    let played = 0;
    const { visit: person } = await visit({
      onMessage: (message, connection) => {
        if (message.type === "text") {
          connection.send(STARTED);
          connection.sendFrame(HEADER, new Uint8Array(480_000));
        }
        if (message.type === "played") played = message.samples;
        if (message.type === "cancel") {
          playedAtCancel = played;
          connection.send(cancelledAfter(240_000, played));
        }
        return message.type !== "ping";
      },
    });
    await person.speak("Hallo");
    await person.until("half a second is heard", ({ figures }) => figures.heardMs > 500);
    await person.page.keyboard.press("Escape");
    const { figures, outcome } = await person.until("it is over", (state) => state.outcome !== undefined);
    expect(outcome).toBe("cancelled");
    expect(figures.playedSamples).toBeLessThan(48_000);
    // What was told is what had reached the ear: not more than was played, nor much less.
    expect(playedAtCancel).toBeGreaterThan(12_000);
    expect(playedAtCancel).toBeLessThanOrEqual(figures.playedSamples);
    expect(person.complaints).toEqual([]);
  });

  it("says what went wrong, and speaks again", async () => {
    let fail = true;
    const { visit: person } = await visit({
      onMessage: (message, connection) => {
        if (message.type !== "text" || !fail) return false;
        fail = false;
        connection.send({
          type: "error",
          code: "capacity.overloaded",
          message: "Too busy.",
          retryable: true,
          retry_after_ms: 2_000,
        });
        return true;
      },
    });
    await person.speak("Hallo");
    await person.until("it has failed", ({ outcome }) => outcome === "capacity.overloaded");
    expect(await person.page.getByRole("alert").textContent()).toBe("Too busy. Try again in 2 s.");
    await person.speak("Hallo");
    await person.until("it has been heard", ({ outcome }) => outcome === "completed");
    expect(await person.page.getByRole("alert").isVisible()).toBe(false);
  });

  it("says that it looks for the server, and begins anew with one that does not know it", async () => {
    const { edge, visit: person } = await visit();
    const { port } = new URL(edge.url);
    await edge.close();
    await person.until("it looks for the server", ({ link }) => link === "reconnecting");
    expect(await person.page.locator("#connection").textContent()).toContain("Reconnecting");
    edges.push(await FakeEdge.start({ page: await openPageRoutes() }, Number(port)));
    await person.until("the page is connected again", ({ link }) => link === "open");
    await person.speak("Hallo");
    await person.until("it has been heard", ({ outcome }) => outcome === "completed");
  });

  it("speaks what was asked for while the server is away, on a page that has just been loaded, once it is back", async () => {
    const { edge, visit: person } = await visit();
    const { port } = new URL(edge.url);
    await person.page.waitForLoadState("networkidle");
    await edge.close();
    await person.until("it looks for the server", ({ link }) => link === "reconnecting");
    await person.speak("Hallo");
    const alert = person.page.locator("#message");
    expect(await alert.textContent()).not.toContain("can't play audio");
    edges.push(await FakeEdge.start({ page: await openPageRoutes() }, Number(port)));
    const end = await person.until("it has been heard", ({ outcome }) => outcome === "completed", 30_000);
    expect(end.figures.playedSamples).toBe(humOf("Hallo").pcm.length);
    expect(await alert.isVisible()).toBe(false);
  });

  it("keeps Speak and Stop within reach on a phone, however long the text", async () => {
    const edge = await FakeEdge.start({ page: await openPageRoutes() });
    edges.push(edge);
    const person = await PageVisit.open(browser, edge.url, { width: 390, height: 664 });
    await person.page.getByLabel("Text to speak").fill(`${SENTENCE} `.repeat(90));
    for (const scroll of [0, 200, 10_000]) {
      await person.page.evaluate((top) => scrollTo({ top }), scroll);
      for (const name of [/Speak/, /Stop/]) {
        const box = await person.page.getByRole("button", { name }).boundingBox();
        expect(box?.y).toBeGreaterThanOrEqual(0);
        expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(664);
      }
    }
  });

  it.each([false, true])("has text that can be read, AA: dark %s", async (dark) => {
    const edge = await FakeEdge.start({ page: await openPageRoutes() });
    edges.push(edge);
    const person = await PageVisit.open(browser, edge.url, { dark });
    const atRest = await unreadable(person.page);
    await person.page.getByRole("switch", { name: "Type like an LLM" }).check({ force: true });
    await person.speak(SENTENCE);
    await person.until("words wait to be spoken", ({ words }) => words.length >= 3);
    const speaking = await unreadable(person.page);
    await person.page.keyboard.press("Escape");
    await person.until("it is over", ({ outcome }) => outcome !== undefined);
    expect([...atRest, ...speaking, ...(await unreadable(person.page))]).toEqual([]);
  });

  it("plays to the end without a gap when the connection is cut in the middle: each sample once", async () => {
    const { edge, visit: person } = await visit({ troubles: { cutAt: [48_000, 52_800, 57_600] } });
    await person.speak(SENTENCE);
    const end = await person.until("it has been heard", ({ outcome }) => outcome !== undefined);
    const samples = humOf(SENTENCE).pcm.length;
    expect(end.outcome).toBe("completed");
    expect(end.figures).toMatchObject({ underruns: 0, playedSamples: samples, receivedSamples: samples });
    expect(end.words.every(({ litAtMs }) => litAtMs !== undefined)).toBe(true);
    const resumes = edge.received.filter(({ type }) => type === "resume");
    expect(resumes).toHaveLength(3);
    expect(await person.page.locator("#connection").textContent()).toContain("Connected again");
    expect(person.complaints).toEqual([]);
  });

  it("goes over to another voice at a splice, without a gap, each moment once", async () => {
    const { visit: person } = await visit({
      troubles: { splice: { at: 48_000, from: 44_880 }, cutAt: [24_000] },
    });
    await person.speak(SENTENCE);
    const end = await person.until("it has been heard", ({ outcome }) => outcome !== undefined);
    const samples = humOf(SENTENCE).pcm.length;
    expect(end.outcome).toBe("completed");
    expect(end.figures).toMatchObject({ underruns: 0, playedSamples: samples, receivedSamples: samples });
    const starts = end.words.map(({ startMs = Number.NaN }) => startMs);
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    expect(person.complaints).toEqual([]);
  });

  it("plays what has come while it looks for the server, and says when the rest is lost", async () => {
    const { edge, visit: person } = await visit({
      onMessage: (message, connection) => {
        if (message.type !== "text") return message.type === "stream_end";
        connection.send(STARTED);
        connection.sendFrame(HEADER, new Uint8Array(96_000));
        return true;
      },
    });
    await person.speak("Hallo");
    await person.until("it speaks", ({ figures }) => figures.heardMs > 100);
    const { port } = new URL(edge.url);
    await edge.close();
    const away = await person.until("it looks for the server", ({ link }) => link === "reconnecting");
    expect(away.activity).toBe("speaking");
    await person.until("all that came is heard", ({ figures }) => figures.playedSamples === 48_000);
    expect((await person.state()).activity).toBe("speaking");
    // One that has forgotten the session: the rest will never come.
    edges.push(await FakeEdge.start({ page: await openPageRoutes() }, Number(port)));
    const end = await person.until("it is over", ({ outcome }) => outcome !== undefined);
    expect(end).toMatchObject({ outcome: "session.unknown", figures: { playedSamples: 48_000 } });
    expect(await person.page.getByRole("alert").textContent()).toContain("There is no such session");
  });

  it("stopped on speech that has all come, keeps the words heard lit and tells how many", async () => {
    const { visit: person } = await visit();
    await person.speak(SENTENCE);
    await person.until("three words are heard", ({ words }) => words[2]?.litAtMs !== undefined);
    await person.page.keyboard.press("Escape");
    const end = await person.until("it is over", ({ outcome }) => outcome !== undefined);
    expect(end.outcome).toBe("cancelled");
    const lit = await person.page.locator("#caption .lit").allTextContents();
    const words = SENTENCE.split(" ");
    expect(lit.map((word) => word.trim())).toEqual(words.slice(0, lit.length));
    expect(lit.length).toBeGreaterThanOrEqual(3);
    expect(lit.length).toBeLessThan(words.length);
    const totals = await person.page.locator("#totals").textContent();
    expect(totals).toMatch(new RegExp(`^Stopped after \\d\\.\\d s: ${lit.length} of 9 words heard$`));
    await person.screenshot("stopped");
  });

  it("shows a sample sentence in the language of the voice, as long as nobody has written another", async () => {
    const { visit: person } = await visit();
    const text = person.page.getByLabel("Text to speak");
    await expect.poll(() => text.inputValue()).toMatch(/^Hello!/);
    await person.page.getByLabel("Voice").selectOption({ label: "Anna" });
    expect(await text.inputValue()).toMatch(/^Guten Tag!/);
    await text.fill("Something of my own");
    await person.page.getByLabel("Voice").selectOption({ label: "Grace" });
    expect(await text.inputValue()).toBe("Something of my own");
  });

  it("chooses a voice that speaks the language of the sample sentence", async () => {
    const { edge, visit: person } = await visit();
    await person.page.getByRole("button", { name: "Am Bahnhof" }).click();
    await person.page.getByRole("button", { name: /^Speak/ }).click();
    await person.until("it has been asked for", () => edge.received.some(({ type }) => type === "text"));
    expect(edge.received.find(({ type }) => type === "text")).toMatchObject({
      voice: "simGermanAnna000000A",
    });
  });
});
