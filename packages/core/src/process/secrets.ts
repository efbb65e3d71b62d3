import { resolveEnvironment } from "./resolve-environment.ts";
import type { Environment } from "./variable.ts";

/** Shorter ones are not looked for: they would stand in words that tell nothing. */
const MIN_LENGTH = 4;
/** What stands in a secret's place. */
export const SECRET = "[secret]";

/**
 * The secrets that a program's variables hold: keys and tokens, each of several that are separated by commas, and the
 * passwords in URLs, both as written and with their percent-encoding undone. Longest first.
 */
export function secretsIn(variables: Environment, env: NodeJS.ProcessEnv): readonly string[] {
  const found = new Set<string>();
  const { values } = resolveEnvironment(variables, env);
  for (const { name, secret } of Object.values(variables)) {
    const value = values.get(name)?.text ?? "";
    const parts = secret ? [value, ...value.split(",")] : passwordsIn(value);
    for (const part of parts) {
      for (const form of [part.trim(), unescaped(part.trim())])
        if (form.length >= MIN_LENGTH) found.add(form);
    }
  }
  return [...found].sort((a, b) => b.length - a.length);
}

/**
 * Everything between the scheme or user and the last "@" of an address, which is there even if no parser takes it, or
 * its scheme is misspelt or missing.
 */
function passwordsIn(value: string): string[] {
  const [, userInfo = ""] = /^(?:[a-z][a-z0-9+.-]*:?\/+)?(.*)@/is.exec(value) ?? [];
  const password = userInfo.slice(userInfo.indexOf(":") + 1);
  return userInfo === "" ? [] : [userInfo, password];
}

/** An address without its password, as people may see it. */
export const withoutPassword = (value: string): string =>
  passwordsIn(value)
    .slice(0, 1)
    .reduce((text, userInfo) => text.replace(userInfo, SECRET), value);

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Replaces each secret in a line of JSON. The last net: whatever writes a line, and however a secret came into it, it
 * does not leave the process.
 */
export function censor(secrets: readonly string[]): (line: string) => string {
  const forms = secrets.map((secret) => JSON.stringify(secret).slice(1, -1));
  return (line) =>
    forms.reduce((text, form) => (text.includes(form) ? text.replaceAll(form, SECRET) : text), line);
}
