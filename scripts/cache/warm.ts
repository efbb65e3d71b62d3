import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Presets, SingleBar } from "cli-progress";
import type { CacheContext, WarmOptions } from "./options.ts";
import { type Phrase, parsePhrases } from "./phrases.ts";

/** Longest one phrase may take, its retries not counted. */
const PHRASE_LIMIT_MS = 120_000;
/** A server that is full says when to come again; so often it is asked again. */
const MAX_ATTEMPTS = 5;
const DEFAULT_RETRY_MS = 1_000;
/** Failures that are told one by one. */
const MAX_TOLD_FAILURES = 10;

interface Report {
  readonly phrases: number;
  /** Spoken now, and there before. */
  spoken: number;
  cached: number;
  /** Spoken by a server that does not cache. */
  uncached: number;
  readonly failed: { readonly text: string; readonly reason: string }[];
}

/** @returns the exit code */
export async function warm(file: string, options: WarmOptions, context: CacheContext): Promise<number> {
  const { voice, model, language } = options;
  const defaults = Object.entries({ voice, model, language }).filter(([, value]) => value !== undefined);
  let phrases: Phrase[];
  try {
    const text = await readFile(resolve(context.folder, file), "utf8");
    phrases = parsePhrases(text, Object.fromEntries(defaults));
  } catch (error) {
    process.stderr.write(`${file}: ${reasonOf(error)}\n`);
    return 1;
  }
  const report: Report = { phrases: phrases.length, spoken: 0, cached: 0, uncached: 0, failed: [] };
  const bar = openBar(phrases.length, options);
  const waiting = phrases.values();
  const lane = async () => {
    for (const phrase of waiting) {
      if (context.interrupted.aborted) return;
      await speak(phrase, options, context, report);
      bar.increment();
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, lane));
  bar.stop();
  tell(report, options);
  if (context.interrupted.aborted) return 130;
  return report.failed.length === 0 && report.uncached === 0 ? 0 : 1;
}

async function speak(phrase: Phrase, options: WarmOptions, context: CacheContext, report: Report) {
  try {
    const cache = await synthesize(phrase, options.url, context.interrupted);
    if (cache === "hit") report.cached += 1;
    else if (cache === "off") report.uncached += 1;
    else report.spoken += 1;
  } catch (error) {
    if (!context.interrupted.aborted) report.failed.push({ text: phrase.text, reason: reasonOf(error) });
  }
}

/** Hears the whole phrase. @returns what the server's cache had to do with it @throws Error */
async function synthesize(phrase: Phrase, url: string, interrupted: AbortSignal): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(`${url}/api/v1/synthesize`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "audio/pcm" },
      body: JSON.stringify(phrase),
      signal: AbortSignal.any([interrupted, AbortSignal.timeout(PHRASE_LIMIT_MS)]),
    });
    if (response.ok) {
      for await (const _ of response.body ?? []);
      return response.headers.get("x-cache") ?? "off";
    }
    const { error = {} } = (await response.json().catch(() => ({}))) as { error?: ErrorBody };
    if (error.retryable !== true || attempt === MAX_ATTEMPTS) {
      throw new Error(`${error.code ?? response.status}: ${error.message ?? response.statusText}`);
    }
    await pause(error.retry_after_ms ?? DEFAULT_RETRY_MS, interrupted);
  }
}

interface ErrorBody {
  readonly code?: string;
  readonly message?: string;
  readonly retryable?: boolean;
  readonly retry_after_ms?: number;
}

function pause(ms: number, interrupted: AbortSignal): Promise<void> {
  return new Promise((resolvePause) => {
    const done = () => {
      clearTimeout(timer);
      interrupted.removeEventListener("abort", done);
      resolvePause();
    };
    const timer = setTimeout(done, ms);
    interrupted.addEventListener("abort", done);
    if (interrupted.aborted) done();
  });
}

function openBar(total: number, options: WarmOptions): Pick<SingleBar, "increment" | "stop"> {
  if (options.quiet === true || !process.stderr.isTTY) return { increment: () => {}, stop: () => {} };
  const format = "  {bar}  {value} of {total} phrases, {eta_formatted} left";
  const bar = new SingleBar(
    { format, stream: process.stderr, barsize: 28, hideCursor: true, clearOnComplete: true },
    Presets.shades_classic,
  );
  bar.start(total, 0);
  return bar;
}

function tell(report: Report, { json, quiet }: WarmOptions): void {
  const { phrases, spoken, cached, uncached, failed } = report;
  for (const { text, reason } of failed.slice(0, MAX_TOLD_FAILURES)) {
    process.stderr.write(`failed: "${text.slice(0, 60)}": ${reason}\n`);
  }
  if (json === true) {
    process.stdout.write(`${JSON.stringify({ ...report, failed: failed.length })}\n`);
  } else if (quiet !== true) {
    process.stdout.write(
      `${phrases} phrases: ${spoken} spoken, ${cached} were there, ${failed.length} failed.\n` +
        (uncached > 0 ? `${uncached} were spoken, but the server does not cache (CACHE).\n` : ""),
    );
  }
}

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
};
