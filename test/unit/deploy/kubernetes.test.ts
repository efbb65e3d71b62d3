import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEdgeConfig } from "@tts-labs/edge/config";
import { parseWorkerConfig } from "@tts-labs/worker/config";
import { describe, expect, it } from "vitest";
import { ruleObject } from "../../../deploy/prometheus/rule-object.ts";
import {
  kustomize,
  type Manifest,
  schemaComplaints,
  unknownFields,
} from "../../../testkit/deploy/manifests.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const overlays = readdirSync(join(root, "k8s/overlays"));
const hasKubectl = spawnSync("kubectl", ["version", "--client"]).status === 0;
/** Room in a grace period for closing what is open after the drain. */
const CLOSING_MS = 5_000;

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string };
}

interface Container {
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: object;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
}

const built = (overlay: string): readonly Manifest[] => kustomize(join(root, "k8s/overlays", overlay));
const workloads = (resources: readonly Manifest[]) =>
  resources.filter(({ kind }) => ["Deployment", "StatefulSet", "Job"].includes(kind));

describe.skipIf(!hasKubectl)("k8s (skipped where kubectl is not installed)", () => {
  it.each(overlays)(
    "%s: every container is unprivileged on a read-only root, and liveness asks no Redis",
    (overlay) => {
      const programs = workloads(built(overlay));
      expect(programs.length).toBeGreaterThanOrEqual(2);
      for (const { spec } of programs) {
        const pod = spec.template.spec;
        expect(pod.securityContext.runAsNonRoot).toBe(true);
        // With the links, a service named simulator sets SIMULATOR_PORT to an address, which no program can read.
        expect(pod.enableServiceLinks).toBe(false);
        for (const container of pod.containers as Container[]) {
          expect(container.securityContext).toEqual({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          });
          const ports = container.ports?.map(({ name }) => name);
          const { livenessProbe: alive, readinessProbe: ready } = container;
          if (alive) expect(alive.httpGet?.path).toBe("/healthz");
          for (const probe of [alive, ready]) if (probe?.httpGet) expect(ports).toContain(probe.httpGet.port);
        }
      }
    },
  );

  it.each(overlays)("%s: what selects pods, and what is scaled, is there", (overlay) => {
    const resources = built(overlay);
    const apps = workloads(resources).map(({ spec }) => spec.template.metadata.labels.app);
    for (const { kind, metadata, spec } of resources) {
      const selected =
        kind === "Service"
          ? spec.selector.app
          : kind === "NetworkPolicy"
            ? spec.podSelector.matchLabels.app
            : kind === "PodDisruptionBudget"
              ? spec.selector.matchLabels.app
              : spec?.scaleTargetRef?.name;
      if (selected !== undefined) expect(apps, `${kind} ${metadata.name}`).toContain(selected);
    }
  });

  it.each(overlays)("%s: pods are killed no earlier than their drains end", (overlay) => {
    const pod = (name: string) =>
      built(overlay).find((it) => it.kind === "Deployment" && it.metadata.name === name)?.spec.template.spec;
    const environment = ({ env = [] }: Container) =>
      Object.fromEntries(env.map(({ name, value }) => [name, value]));
    const [edge, worker] = [pod("edge"), pod("worker")];
    const { drainSettleMs, drainLimitMs } = parseEdgeConfig(environment(edge.containers[0]));
    const { drainMs } = parseWorkerConfig({
      ELEVENLABS_API_KEY: "key",
      ...environment(worker.containers[0]),
    });
    expect(drainSettleMs).toBeGreaterThan(0);
    const leavesAfterMs = drainSettleMs + drainLimitMs + CLOSING_MS;
    expect(edge.terminationGracePeriodSeconds * 1_000).toBeGreaterThanOrEqual(leavesAfterMs);
    expect(worker.terminationGracePeriodSeconds * 1_000).toBeGreaterThanOrEqual(drainMs + CLOSING_MS);
  });

  it.each(["production", "keda"])("%s holds no secret", (overlay) => {
    expect(built(overlay).map(({ kind }) => kind)).not.toContain("Secret");
  });

  it("scales by metrics that the programs have", () => {
    const metrics = ["edge", "worker"].map((app) =>
      readFileSync(join(root, `apps/${app}/src/metrics.ts`), "utf8"),
    );
    const named = ["production", "keda"].flatMap((it) => JSON.stringify(built(it)).match(/tts_\w+/g) ?? []);
    expect(named.length).toBeGreaterThanOrEqual(5);
    for (const name of named) expect(metrics.join()).toContain(`"${name}"`);
  });

  it("every object of every overlay fits the schema of its kind, and has no field that this does not know", async () => {
    const resources = overlays.flatMap(built);
    expect(resources.length).toBeGreaterThan(10 * overlays.length);
    expect(await schemaComplaints(resources)).toEqual([]);
    expect(unknownFields(resources)).toEqual([]);
  });

  it("the operator's rules are those of deploy/prometheus, as `node deploy/prometheus/rule-object.ts` writes them", () => {
    expect(readFileSync(join(root, "k8s/overlays/monitoring/rules.yaml"), "utf8")).toBe(ruleObject());
  });

  it("a misspelt field of a kustomization is refused", () => {
    const folder = mkdtempSync(join(tmpdir(), "kustomize-"));
    try {
      const header = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
      writeFileSync(join(folder, "kustomization.yaml"), `${header}resourcez: []\n`);
      expect(() => kustomize(folder)).toThrow("resourcez");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** One object of each kind, out of all overlays. */
const oneOfEach = (): readonly Manifest[] => {
  const all = ["development", "keda", "monitoring", "redis-cluster"].flatMap(built);
  return [...new Map(all.map((it) => [it.kind, it])).values()];
};

describe.skipIf(!hasKubectl)("a misspelling (skipped where kubectl is not installed)", () => {
  const kinds = [
    ["Deployment", "replicas"],
    ["StatefulSet", "serviceName"],
    ["Job", "backoffLimit"],
    ["Service", "selector"],
    ["HorizontalPodAutoscaler", "maxReplicas"],
    ["ScaledObject", "triggers"],
    ["PodDisruptionBudget", "maxUnavailable"],
    ["NetworkPolicy", "podSelector"],
    ["ServiceMonitor", "endpoints"],
    ["PrometheusRule", "groups"],
  ] as const;

  it("is looked for in every kind that has a spec", () => {
    const found = oneOfEach().filter(({ spec }) => spec !== undefined);
    expect(found.map(({ kind }) => kind).sort()).toEqual(kinds.map(([kind]) => kind).sort());
  });

  it("of a field is found in each kind", () => {
    const misspelt = oneOfEach().flatMap((it) => {
      const [, field] = kinds.find(([kind]) => kind === it.kind) ?? [];
      if (field === undefined) return [];
      const { [field]: value, ...rest } = it.spec;
      return [{ ...it, spec: { ...rest, [`${field}x`]: value } }];
    });
    expect(misspelt.length).toBe(kinds.length);
    const complaints = unknownFields(misspelt).join("\n");
    for (const [, field] of kinds) expect(complaints).toContain(`${field}x`);
  });

  it("of a value is found", async () => {
    const wrong = oneOfEach().map((it) =>
      it.kind === "Deployment" ? { ...it, spec: { ...it.spec, replicas: "two" } } : it,
    );
    const complaints = await schemaComplaints(wrong);
    expect(complaints.join()).toContain("replicas must be integer");
  });

  it("of a kind is found", async () => {
    const [first] = oneOfEach();
    if (first === undefined) throw new Error("no object");
    expect(await schemaComplaints([{ ...first, kind: "Deploymint" }])).toHaveLength(1);
  });
});
