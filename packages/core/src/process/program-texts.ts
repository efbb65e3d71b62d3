import { describeEnvironment, type Environment } from "./environment.ts";
import { resolveEnvironment } from "./resolve-environment.ts";
import { SECRET, withoutPassword } from "./secrets.ts";

/** What `--help` prints: what the program is, what may be asked of it, and every variable with its default. */
export function helpText({
  name,
  about,
  variables,
}: {
  readonly name: string;
  readonly about: string;
  readonly variables: Environment;
}): string {
  const rows = describeEnvironment(variables).map((it) => `  ${it.name} (${it.default})\n      ${it.about}`);
  return `${about}

Usage: node apps/${name}/src/main.ts [option]

  --help          prints this
  --version       prints the version and the commit
  --print-config  prints every setting with its source; secrets as ${SECRET}
  --check-config  says what is wrong with the settings, and starts nothing

Settings are variables of the environment, or the contents of the file that <NAME>_FILE names. Times and sizes may have
units: 30s, 5m, 64KiB, 12MB.

${rows.join("\n")}
`;
}

/** What `--print-config` prints: a line per variable, with where its value is from. Secrets and passwords stay untold. */
export function settingsText(variables: Environment, env: NodeJS.ProcessEnv): string {
  const { values } = resolveEnvironment(variables, env);
  const rows = Object.values(variables).map(({ name, secret }) => {
    const { text, source } = values.get(name) ?? { text: undefined, source: "default" as const };
    const shown = text === undefined || text === "" ? "" : secret ? SECRET : withoutPassword(text);
    return { setting: `${name}=${shown}`, source };
  });
  const width = Math.max(...rows.map(({ setting }) => setting.length));
  return rows.map(({ setting, source }) => `${setting.padEnd(width)}  # ${source}\n`).join("");
}
