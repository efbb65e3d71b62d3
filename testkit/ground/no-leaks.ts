import { Session } from "node:inspector";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach } from "vitest";

/**
 * Accuses a test file that leaves open what it opened: sockets, servers, child processes, timers. Runs in
 * each file's own process before it, and its `afterAll` runs after the file's own. What is unref'ed does not
 * count (the pooled connections of `fetch`, say); worker threads and uWebSockets.js' sockets Node does not list.
 * Where a test has failed, also one that passed when it was run once more, what is left may be its own: that is said,
 * and is no second failure.
 */
const KINDS = new Set([
  "TCPSocketWrap",
  "TCPServerWrap",
  "TLSWrap",
  "PipeWrap",
  "ProcessWrap",
  "UDPWrap",
  "Timeout",
]);

/** The place where the inspector finds what timers have in common. */
const TIMERS = Symbol.for("no-leaks.timers");

/** For what is being closed as the last test ends. */
const SETTLE_MS = 2_000;

const before = open();

let hasFailed = false;
afterEach(({ task }) => {
  hasFailed ||= (task.result?.errors?.length ?? 0) > 0;
});

afterAll(async () => {
  const deadlineMs = performance.now() + SETTLE_MS;
  while (leaked().length > 0 && performance.now() < deadlineMs) await sleep(20, undefined, { ref: false });
  const left = leaked();
  if (left.length === 0) return;
  const finding = `this file leaves open: ${left.join(", ")}. Timers that wait:\n${waitingTimers().join("\n")}`;
  if (!hasFailed) throw new Error(finding);
  console.warn(`A test has failed, and ${finding}`);
});

function open(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (KINDS.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

function leaked(): string[] {
  return [...open()].flatMap(([kind, count]) => {
    const more = count - (before.get(kind) ?? 0);
    return more > 0 ? [`${more} ${kind}`] : [];
  });
}

/** How long and for what each timer waits. Node keeps no list that can be asked, so they are looked for in the heap. */
function waitingTimers(): string[] {
  const session = new Session();
  session.connect();
  const call = <T>(method: string, parameters: object): T => {
    let result: unknown;
    // In one's own thread the answer comes at once.
    session.post(method, parameters, (error, answer) => {
      if (error !== null) throw error;
      result = answer;
    });
    return result as T;
  };
  try {
    const example = setTimeout(() => {}, 0);
    clearTimeout(example);
    Reflect.set(globalThis, TIMERS, Object.getPrototypeOf(example));
    const { result } = call<{ result: { objectId: string } }>("Runtime.evaluate", {
      expression: `globalThis[Symbol.for("${TIMERS.description}")]`,
    });
    const { objects } = call<{ objects: { objectId: string } }>("Runtime.queryObjects", {
      prototypeObjectId: result.objectId,
    });
    const { result: told } = call<{ result: { value: string[] } }>("Runtime.callFunctionOn", {
      objectId: objects.objectId,
      functionDeclaration: `function () {
        return this
          .filter((timer) => !timer._destroyed && timer._onTimeout && timer.hasRef())
          .map((timer) => timer._idleTimeout + " ms: " + String(timer._onTimeout).slice(0, 300));
      }`,
      returnByValue: true,
    });
    return told.value;
  } finally {
    session.disconnect();
  }
}
