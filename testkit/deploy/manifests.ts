import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  // biome-ignore lint/suspicious/noExplicitAny: each kind has a shape of its own
  readonly spec?: any;
  /** Of a Secret: base64. */
  readonly data?: Readonly<Record<string, string>>;
}

const root = fileURLToPath(new URL("../../", import.meta.url));

/** @throws Error with what kustomize has to say */
export function kustomize(folder: string): readonly Manifest[] {
  const { status, stdout, stderr } = spawnSync("kubectl", ["kustomize", folder], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout).map((it) => withoutLineBreaks(it.toJS()));
}

/** Kustomize breaks long base64 into lines, which the API server reads as one and the schemas refuse. */
const withoutLineBreaks = (manifest: Manifest): Manifest =>
  manifest.data === undefined || manifest.kind !== "Secret"
    ? manifest
    : {
        ...manifest,
        data: Object.fromEntries(
          Object.entries(manifest.data).map(([name, value]) => [name, value.replace(/\s/g, "")]),
        ),
      };

/** Packages that know kinds of objects beyond Kubernetes' own, by the group of their API. */
const PACKAGES: Readonly<Record<string, string>> = {
  "keda.sh": "@kubernetes-models/keda",
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
};

const moduleOf = ({ apiVersion, kind }: Manifest): string => {
  const group = apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
  return `${PACKAGES[group] ?? "kubernetes-models"}/${apiVersion}/${kind}`;
};

interface Model {
  validate(): void;
}

/**
 * What the schemas of Kubernetes, KEDA and the Prometheus operator have against values and required fields of
 * `manifests`, one line each. They do not look for fields that they don't know: `unknownFields` does.
 */
export async function schemaComplaints(manifests: readonly Manifest[]): Promise<readonly string[]> {
  const complaints: string[] = [];
  for (const manifest of manifests) {
    try {
      const models: Readonly<Record<string, new (data: Manifest) => Model>> = await import(
        moduleOf(manifest)
      );
      const KindOf = models[manifest.kind];
      if (KindOf === undefined) throw new Error("no schema knows this kind");
      new KindOf(manifest).validate();
    } catch (error) {
      complaints.push(`${manifest.kind} ${manifest.metadata.name}: ${(error as Error).message}`);
    }
  }
  return complaints;
}

/** Fields of `manifests` that their kinds do not have: found by the compiler, which knows each kind's type. */
export function unknownFields(manifests: readonly Manifest[]): readonly string[] {
  // Inside the project, so that the packages are found.
  mkdirSync(join(root, ".run"), { recursive: true });
  const folder = mkdtempSync(join(root, ".run/manifests-"));
  try {
    const imports = [...new Set(manifests.map((it) => `${moduleOf(it)} ${it.kind}`))].map((it, index) => {
      const [from, kind] = it.split(" ");
      return {
        key: it,
        name: `Kind${index}`,
        line: `import type { I${kind} as Kind${index} } from "${from}";`,
      };
    });
    const literals = manifests.map((it, index) => {
      const type = imports.find(({ key }) => key === `${moduleOf(it)} ${it.kind}`)?.name;
      return `export const m${index}: ${type} = ${JSON.stringify(it)};`;
    });
    const file = join(folder, "manifests.ts");
    writeFileSync(file, [...imports.map(({ line }) => line), ...literals].join("\n"));
    const { stdout } = spawnSync(
      join(root, "node_modules/.bin/tsc"),
      [
        "--ignoreConfig",
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--module",
        "nodenext",
        "--types",
        "",
        file,
      ],
      { encoding: "utf8" },
    );
    return stdout.split("\n").filter((line) => line.includes("error"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
