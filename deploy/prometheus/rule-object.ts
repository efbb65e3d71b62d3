import { readFileSync, writeFileSync } from "node:fs";
import { parse, stringify } from "yaml";

const rulesPath = new URL("rules/tts.yml", import.meta.url);
const objectPath = new URL("../../k8s/overlays/monitoring/rules.yaml", import.meta.url);

/** The rules of `rules/tts.yml` as the object that the Prometheus operator reads. */
export function ruleObject(): string {
  const object = {
    apiVersion: "monitoring.coreos.com/v1",
    kind: "PrometheusRule",
    metadata: { name: "tts-labs" },
    spec: parse(readFileSync(rulesPath, "utf8")),
  };
  return `# Written by node deploy/prometheus/rule-object.ts from deploy/prometheus/rules/tts.yml.\n${stringify(object, { lineWidth: 120 })}`;
}

if (process.argv[1] === import.meta.filename) writeFileSync(objectPath, ruleObject());
