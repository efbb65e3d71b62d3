import { silentLogger } from "@tts-labs/core/logger";
import { Connections, MAX_OPS_CONNECTIONS, SPARE_CONNECTIONS } from "@tts-labs/edge/budget/connections";
import { boundConnections } from "@tts-labs/edge/budget/open-files";
import { describe, expect, test } from "vitest";

function open(maxConnections: number) {
  const reached: string[] = [];
  const logged: unknown[] = [];
  const connections = new Connections({
    of: "clients",
    maxConnections,
    observer: { budgetReached: (budget, action) => reached.push(`${budget} ${action}`) },
    logger: { ...silentLogger, warn: (facts: unknown) => logged.push(facts) },
  });
  const connect = (count: number) => Array.from({ length: count }, () => connections.opened());
  return { connections, reached, logged, connect };
}

describe("connections", () => {
  test("beyond the bound are heard and refused; beyond the spare ones they are closed at once; it is logged once", () => {
    const { connections, reached, logged, connect } = open(10);
    expect(connect(10)).not.toContain(false);
    connections.assertRoom();
    expect(connect(SPARE_CONNECTIONS)).not.toContain(false);
    expect(() => connections.assertRoom()).toThrow(
      expect.objectContaining({ code: "capacity.too_many_connections", retryAfterMs: 1_000 }),
    );
    expect(connect(100)).not.toContain(true);
    expect(reached.filter((it) => it === "connections closed")).toHaveLength(100);
    expect(logged).toEqual([{ of: "clients", limit: 10 }]);
  });

  test("without a bound are all kept (negative twin)", () => {
    const { connect, reached } = open(Number.POSITIVE_INFINITY);
    expect(connect(10_000)).not.toContain(false);
    expect(reached).toEqual([]);
  });

  test("have room again when some have gone, and reaching the bound again is news again", () => {
    const { connections, logged, connect } = open(10);
    connect(11);
    for (let i = 0; i < 5; i++) connections.closed();
    connections.assertRoom();
    connect(5);
    expect(logged).toHaveLength(2);
  });
});

describe("the limit of open files", () => {
  const bound = (configured: number, files: { limit: number; used: number } | undefined) => {
    const warnings: unknown[] = [];
    const bounds = boundConnections(configured, files, { warn: (facts: unknown) => warnings.push(facts) });
    return { ...bounds, warnings };
  };

  test("leaves the configured number where it suffices, or where it is not known", () => {
    const plenty = { clients: 11_000, operators: MAX_OPS_CONNECTIONS, warnings: [] };
    expect(bound(11_000, { limit: 1_000_000, used: 40 })).toEqual(plenty);
    expect(bound(11_000, undefined)).toEqual(plenty);
  });

  test("lowers it where it does not, so that all of them and what else is open fit, and says what is needed", () => {
    const { clients, operators, warnings } = bound(11_000, { limit: 220, used: 40 });
    expect(clients).toBeGreaterThan(80);
    expect(40 + clients + operators + 2 * SPARE_CONNECTIONS).toBeLessThan(220);
    expect(warnings).toMatchObject([{ limit: 220, connections: clients, configured: 11_000 }]);
  });
});
