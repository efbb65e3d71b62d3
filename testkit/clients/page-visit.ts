import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PageState } from "@tts-labs/edge/page/state";
import type { Browser, Page } from "playwright-core";

export interface VisitOptions {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
}

/** A person's visit to `/fastrtc`, who notices every complaint of the page. */
export class PageVisit {
  readonly page: Page;
  /** Console errors and warnings, and exceptions. */
  readonly complaints: string[] = [];

  /** Resolves when the page is connected. */
  static async open(browser: Browser, url: string, options: VisitOptions = {}): Promise<PageVisit> {
    const { width = 1_280, height = 860, dark = false } = options;
    const page = await browser.newPage({ viewport: { width, height }, colorScheme: dark ? "dark" : "light" });
    const visit = new PageVisit(page);
    await page.goto(url);
    await visit.until("the page is connected", (state) => state.link === "open");
    return visit;
  }

  private constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(10_000);
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") this.complaints.push(message.text());
    });
  }

  async state(): Promise<PageState> {
    const state = await this.page.evaluate(() => window.ttsLabs?.state());
    if (state === undefined) throw new Error("the page shows no state");
    return state;
  }

  /** @throws Error with the last state seen, when `condition` is not met within the limit */
  async until(what: string, condition: (state: PageState) => boolean, limitMs = 15_000): Promise<PageState> {
    const deadline = performance.now() + limitMs;
    await this.page.waitForFunction(() => window.ttsLabs !== undefined);
    for (;;) {
      const state = await this.state();
      if (condition(state)) return state;
      if (performance.now() > deadline) {
        const seen = JSON.stringify({ ...state, complaints: this.complaints });
        throw new Error(`waited ${limitMs} ms in vain until ${what}: ${seen}`);
      }
      await this.page.evaluate(() => new Promise(requestAnimationFrame));
    }
  }

  async speak(text: string): Promise<void> {
    await this.page.getByLabel("Text to speak").fill(text);
    await this.page.keyboard.press("Control+Enter");
  }

  /** Into a folder for temporary files; its path. */
  async screenshot(name: string): Promise<string> {
    const folder = process.env["SCREENSHOT_DIR"] ?? (await mkdtemp(join(tmpdir(), "tts-page-")));
    const path = join(folder, `${name}.png`);
    await this.page.screenshot({ path });
    return path;
  }
}
