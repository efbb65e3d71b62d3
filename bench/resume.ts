import { Command, InvalidArgumentError } from "commander";
import { startPrivateRedis } from "../scripts/private-redis.ts";
import { ResumingTestClient } from "../testkit/clients/resuming-client.ts";
import { startTwoEdges, type TwoEdges } from "../testkit/fleet/two-edges.ts";
import { summarize } from "./measure/summary.ts";

/**
 * From the moment when a client whose connection was cut opens its next one, to the first byte that it was
 * missing: TCP, upgrade, the takeover of its session, text and audio, each time on the other of two edges. Clients
 * listen in real time, one cut at a time; edges and clients share this process.
 *
 * `npm run bench -- resume [--json] [--sessions 40]`
 */
const TEXT = "Somebody walks into a tunnel in the middle of this sentence, and out of it again. ".repeat(10);
const CUTS_PER_SESSION = 5;
const BYTES_BEFORE = 60_000;

export async function run(args: readonly string[]): Promise<void> {
  const { sessions, json } = parseOptions(args);
  const redis = await startPrivateRedis();
  const edges = await startTwoEdges({ redisUrl: redis.url });
  try {
    const resumeMs: number[] = [];
    for (let session = 0; session < sessions; session++) resumeMs.push(...(await cutOneSession(edges)));
    const summary = summarize(resumeMs);
    const { count, p50, p90, p99, max } = summary;
    process.stderr.write(
      `${count} cuts, ms to the first missing byte: p50 ${p50}, p90 ${p90}, p99 ${p99}, max ${max}\n`,
    );
    if (json) process.stdout.write(`${JSON.stringify({ bench: "resume", ...summary })}\n`);
  } finally {
    await edges.close();
    await redis.stop();
  }
}

async function cutOneSession({ urls }: TwoEdges): Promise<readonly number[]> {
  const client = new ResumingTestClient();
  await client.connect(urls[0], { delivery: "paced" });
  client.send({ type: "text", text: TEXT });
  client.send({ type: "stream_end" });
  await client.until("speech", () => client.bytes > BYTES_BEFORE || undefined);
  for (let cut = 1; cut <= CUTS_PER_SESSION; cut++) {
    const before = client.bytes;
    client.cut();
    await client.resume(urls[cut % 2] ?? "");
    await client.until("the missing byte", () => client.bytes > before || undefined);
  }
  await client.close();
  return client.resumeMs;
}

function parseOptions(args: readonly string[]): { readonly sessions: number; readonly json: boolean } {
  const positive = (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1 && value <= 1_000) return value;
    throw new InvalidArgumentError("must be a whole number from 1 to 1000");
  };
  const command = new Command("bench resume")
    .description("From a cut connection to the first byte that was missing, on another edge.")
    .option("--sessions <sessions>", `one after the other, each cut ${CUTS_PER_SESSION} times`, positive, 40)
    .option("--json", "end in one JSON object on standard output", false);
  command.parse([...args], { from: "user" });
  return command.opts<{ sessions: number; json: boolean }>();
}
