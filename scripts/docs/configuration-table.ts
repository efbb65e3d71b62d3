import { describeEnvironment, type Environment } from "@tts-labs/core/process/environment";
import { markdownTable } from "./json-schema.ts";

/** Each program's variables, by the name that people know it by. */
export type Programs = Readonly<Record<string, Environment>>;

interface Row {
  readonly name: string;
  readonly default: string;
  readonly about: string;
  /** Names of the programs that read it. */
  readonly readers: string[];
}

/**
 * Variables that most people set, in the order in which they meet them.
 * @throws Error when a name is no variable of any program
 */
export function commonConfigurationTable(programs: Programs, names: readonly string[]): string {
  const rows = gather(programs);
  return table(
    names.map((name) => {
      const row = rows.find((it) => it.name === name);
      if (row === undefined) throw new Error(`${name} is no variable of any program`);
      return row;
    }),
  );
}

/**
 * The variables that several programs read, then a section for each program's own. One that is shared
 * stands once, in the words of the first program.
 * @throws Error when two programs give one variable different defaults
 */
export function configurationTables(programs: Programs): string {
  const rows = gather(programs);
  const shared = rows.filter(({ readers }) => readers.length > 1);
  const own = Object.keys(programs).map((program) => ({
    program,
    rows: rows.filter(({ readers }) => readers.length === 1 && readers[0] === program),
  }));
  return [
    `## Shared (${shared.length})`,
    table(shared),
    ...own.map(
      ({ program, rows: ofProgram }) =>
        `## The ${program}'s own (${ofProgram.length})\n\n${table(ofProgram)}`,
    ),
  ].join("\n\n");
}

/** What each profile sets. */
export const profilesTable = (
  profiles: Readonly<
    Record<string, { readonly about: string; readonly values: Readonly<Record<string, string>> }>
  >,
): string =>
  markdownTable(
    ["`TTS_PROFILE`", "for", "sets"],
    Object.entries(profiles).map(([name, { about, values }]) => [
      `\`${name}\``,
      about,
      Object.entries(values)
        .map(([variable, value]) => `\`${variable}=${value}\``)
        .join(", "),
    ]),
  );

function gather(programs: Programs): readonly Row[] {
  const rows = new Map<string, Row>();
  for (const [program, environment] of Object.entries(programs)) {
    for (const variable of describeEnvironment(environment)) {
      const known = rows.get(variable.name);
      if (known === undefined) rows.set(variable.name, { ...variable, readers: [program] });
      else if (known.default === variable.default) known.readers.push(program);
      else {
        throw new Error(
          `${variable.name} is ${known.default} for the ${known.readers[0]} and ${variable.default} for the ${program}`,
        );
      }
    }
  }
  return [...rows.values()];
}

const table = (rows: readonly Row[]) =>
  markdownTable(
    ["variable", "default", "what it does"],
    rows.map((row) => [`\`${row.name}\``, code(row.default), row.about]),
  );

const code = (value: string) => (value === "" || value.startsWith("none") ? value : `\`${value}\``);

/**
 * `page` with what stands between `<!-- <name>: begin … -->` and `<!-- <name>: end -->` replaced.
 * @throws Error when the page has no such markers
 */
export function replaceBetweenMarkers(page: string, name: string, content: string): string {
  const pattern = new RegExp(`(<!-- ${name}: begin[^>]*-->\\n)[\\s\\S]*?(\\n<!-- ${name}: end -->)`);
  if (!pattern.test(page)) throw new Error(`no markers for "${name}"`);
  return page.replace(pattern, (_, begin: string, end: string) => `${begin}\n${content}\n${end}`);
}
