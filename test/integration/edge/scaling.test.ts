import { expect, inject, onTestFinished, test, vi } from "vitest";
import { NativeClient } from "../../../testkit/clients/native-client.ts";
import { startSystem } from "../../../testkit/fleet/system.ts";
import { ChaosProxy } from "../../../testkit/redis/chaos-proxy.ts";

test("an autoscaler is told the fleet's load, and 503 rather than 0 while Redis does not answer", async () => {
  const proxy = await new ChaosProxy().open(Number(new URL(inject("redisUrl")).port));
  onTestFinished(() => proxy.close());
  const system = await startSystem({ redisUrl: `redis://127.0.0.1:${proxy.port}` });
  onTestFinished(() => system.close());
  const client = await NativeClient.connect(system.url);
  onTestFinished(() => client.close());
  client.send({ type: "text", text: "This utterance has a worker for as long as its text is open." });
  const ask = () => fetch(`${system.opsUrl}/api/v1/scaling`);

  await vi.waitFor(async () => {
    const answer = await ask();
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      sessions: 1,
      utterances: { waiting: 0, active: 1, wanted: 1, oldest_wait_ms: 0 },
    });
  });

  proxy.swallow = "answers";
  const blind = await ask();
  expect(blind.status).toBe(503);
  const body = (await blind.json()) as { error: { code: string } };
  expect(body.error.code).toMatch(/^storage\./);
  expect(body).not.toHaveProperty("utterances");

  proxy.swallow = "nothing";
  proxy.cut();
  await vi.waitFor(async () => expect((await ask()).status).toBe(200), { timeout: 10_000 });
});
