import { describeEnvironment, type Environment } from "@tts-labs/core/process/environment";
import { markdownTable } from "./json-schema.ts";

/** Each program's variables, by the name that people know it by. */
export type Programs = Readonly<Record<string, Environment>>;

/**
 * One table for all programs: a variable that several of them read stands once, if they agree about it.
 * @throws Error when two programs give one variable different defaults or meanings
 */
export function configurationTable(programs: Programs): string {
  const rows = new Map<string, { default: string; about: string; readers: string[] }>();
  for (const [program, environment] of Object.entries(programs)) {
    for (const variable of describeEnvironment(environment)) {
      const known = rows.get(variable.name);
      if (known === undefined) {
        rows.set(variable.name, { default: variable.default, about: variable.about, readers: [program] });
      } else if (known.default !== variable.default) {
        throw new Error(
          `${variable.name} is ${known.default} by default for ${known.readers.join(", ")}, ${variable.default} for ${program}`,
        );
      } else known.readers.push(program);
    }
  }
  return markdownTable(
    ["variable", "default", "read by", "what it does"],
    [...rows].map(([name, row]) => [`\`${name}\``, code(row.default), row.readers.join(", "), row.about]),
  );
}

const code = (value: string) => (value === "" || value.startsWith("none") ? value : `\`${value}\``);

/**
 * `page` with what stands between `<!-- <name>: begin … -->` and `<!-- <name>: end -->` replaced.
 * @throws Error when the page has no such markers
 */
export function replaceBetweenMarkers(page: string, name: string, content: string): string {
  const pattern = new RegExp(`(<!-- ${name}: begin[^>]*-->\\n)[^]*?(\\n<!-- ${name}: end -->)`);
  if (!pattern.test(page)) throw new Error(`no markers for "${name}"`);
  return page.replace(pattern, (_, begin: string, end: string) => `${begin}\n${content}\n${end}`);
}
