import { readFileSync } from "node:fs";
import { isProfileName, PROFILES } from "./profiles.ts";
import type { Environment } from "./variable.ts";

/** Where a variable's value is from. `file`: the one that `<NAME>_FILE` names, as containers hand secrets over. */
export type ValueSource = "env" | "file" | "profile" | "default";

export interface ResolvedValue {
  /** As written; absent where there is none, not even a default. */
  readonly text: string | undefined;
  readonly source: ValueSource;
}

export interface ResolvedEnvironment {
  /** By the variable's name. */
  readonly values: ReadonlyMap<string, ResolvedValue>;
  /** Sentences about files that can't be read, and variables that are set in two ways. */
  readonly problems: readonly string[];
}

/** A file that is longer holds something else than a value. */
const MAX_FILE_CHARACTERS = 65_536;

/** The value of each of `variables`: its own, else its file's, else its profile's, else its default. Empty is missing. */
export function resolveEnvironment(variables: Environment, env: NodeJS.ProcessEnv): ResolvedEnvironment {
  const problems: string[] = [];
  const all = Object.values(variables);
  const named = all.some(({ name }) => name === "TTS_PROFILE") ? env["TTS_PROFILE"] : undefined;
  const profile = isProfileName(named) ? PROFILES[named].values : {};
  const resolve = ({ name, defaultText }: (typeof all)[number]): ResolvedValue => {
    const [own, path] = [env[name] || undefined, env[`${name}_FILE`] || undefined];
    if (own !== undefined && path !== undefined) {
      problems.push(`${name} and ${name}_FILE are both set: keep one of them.`);
    }
    if (own !== undefined) return { text: own, source: "env" };
    if (path !== undefined) {
      const text = readValue(path);
      if (text !== undefined) return { text, source: "file" };
      problems.push(
        `${name}_FILE=${JSON.stringify(path)} can't be used: it must be a file that holds the value.`,
      );
    }
    if (Object.hasOwn(profile, name)) return { text: profile[name], source: "profile" };
    return { text: defaultText, source: "default" };
  };
  return { values: new Map(all.map((variable) => [variable.name, resolve(variable)])), problems };
}

/** A line's end at the end of the file is an editor's, not the value's. */
function readValue(path: string): string | undefined {
  try {
    const text = readFileSync(path, "utf8").replace(/\r?\n$/, "");
    return text === "" || text.length > MAX_FILE_CHARACTERS ? undefined : text;
  } catch {
    return undefined;
  }
}
