import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEdgeConfig } from "@tts-labs/edge/config";
import { parseWorkerConfig } from "@tts-labs/worker/config";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const overlays = readdirSync(join(root, "k8s/overlays"));
const hasKubectl = spawnSync("kubectl", ["version", "--client"]).status === 0;
/** Room in a grace period for closing what is open after the drain. */
const CLOSING_MS = 5_000;

interface Container {
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: object;
  readonly livenessProbe?: { readonly httpGet: { readonly path: string; readonly port: string } };
  readonly readinessProbe?: { readonly httpGet: { readonly path: string; readonly port: string } };
}

interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  // biome-ignore lint/suspicious/noExplicitAny: each kind has a shape of its own
  readonly spec: any;
}

function kustomize(folder: string): string {
  const { status, stdout, stderr } = spawnSync("kubectl", ["kustomize", folder], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

const built = (overlay: string): readonly Resource[] =>
  parseAllDocuments(kustomize(join(root, "k8s/overlays", overlay))).map((it) => it.toJS());

describe.skipIf(!hasKubectl)("k8s (skipped where kubectl is not installed)", () => {
  it.each(overlays)(
    "%s: every container is unprivileged on a read-only root, and liveness asks no Redis",
    (overlay) => {
      const deployments = built(overlay).filter(({ kind }) => kind === "Deployment");
      expect(deployments.length).toBeGreaterThanOrEqual(2);
      for (const { spec } of deployments) {
        const pod = spec.template.spec;
        expect(pod.securityContext.runAsNonRoot).toBe(true);
        for (const container of pod.containers as Container[]) {
          expect(container.securityContext).toEqual({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          });
          const ports = container.ports.map(({ name }) => name);
          const { livenessProbe: alive, readinessProbe: ready } = container;
          if (alive) expect(alive.httpGet.path).toBe("/healthz");
          for (const probe of [alive, ready]) if (probe) expect(ports).toContain(probe.httpGet.port);
        }
      }
    },
  );

  it.each(overlays)("%s: what selects pods, and what is scaled, is there", (overlay) => {
    const resources = built(overlay);
    const apps = resources
      .filter(({ kind }) => kind === "Deployment")
      .map(({ spec }) => spec.template.metadata.labels.app);
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
    const named = ["production", "keda"].flatMap(
      (it) => kustomize(join(root, "k8s/overlays", it)).match(/tts_\w+/g) ?? [],
    );
    expect(named.length).toBeGreaterThanOrEqual(5);
    for (const name of named) expect(metrics.join()).toContain(`"${name}"`);
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
