import { GatewayError } from "@tts-labs/protocol/errors";
import { z } from "zod";
import { resolveEnvironment } from "./resolve-environment.ts";
import { SECRET, withoutPassword } from "./secrets.ts";
import { parseBytes, parseTime } from "./units.ts";
import type { ConfigOf, Environment, Variable } from "./variable.ts";

/**
 * Configuration from environment variables: each with a type, a default, a unit and a sentence, so that the
 * documents' tables are generated from the same words that are enforced. Every bad variable is reported at once.
 */
export type { ConfigOf, Environment, Variable };

interface Described<T> {
  readonly about: string;
  readonly default: T;
}

function variable<T>(
  name: string,
  about: string,
  schema: z.ZodType<T, string>,
  defaultText: string | undefined,
): Variable<T> {
  return { name, about, schema, defaultText, secret: false };
}

/** A check of one's own, with what is right in words: "an http address". */
interface Checked {
  readonly isValid?: (value: string) => boolean;
  readonly right?: string;
}

const textSchema = ({ isValid = () => true, right = "a text" }: Checked) => z.string().refine(isValid, right);

export const text = (
  name: string,
  { about, default: value, ...checked }: Described<string> & Checked,
): Variable<string> => variable(name, about, textSchema(checked), value);

export const optionalText = (
  name: string,
  { about, ...checked }: { readonly about: string } & Checked,
): Variable<string | undefined> => variable<string | undefined>(name, about, textSchema(checked), undefined);

/** Values separated by commas; none where it is missing. */
export const list = (
  name: string,
  { about, isValid = () => true, right = "a text" }: ListDescription,
): Variable<readonly string[]> =>
  variable<readonly string[]>(
    name,
    about,
    z
      .string()
      .transform((value) => value.split(",").map((it) => it.trim()))
      .transform((values) => values.filter((it) => it !== ""))
      .refine((values) => values.every(isValid), `a list with commas between, of which each is ${right}`),
    "",
  );

interface ListDescription extends Checked {
  readonly about: string;
}

/** A key or token: printed as `[secret]`. */
export const secret = (
  name: string,
  { about }: { readonly about: string },
): Variable<string | undefined> => ({
  ...variable<string | undefined>(name, about, z.string().min(1, "a key"), undefined),
  secret: true,
});

interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** A number from `min` to `max`, as `parse` reads it. The message says what is right. */
function numberSchema(
  parse: (text: string) => number,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: Range,
  { what, isWhole = true, unit = "" }: { what: string; isWhole?: boolean; unit?: string },
): z.ZodType<number, string> {
  const bounds =
    max === Number.MAX_SAFE_INTEGER ? `of ${min}${unit} or more` : `from ${min} to ${max}${unit}`;
  const fits = (value: number) => value >= min && value <= max && (!isWhole || Number.isInteger(value));
  return z.string().transform(parse).refine(fits, `${what} ${bounds}`);
}

const parseNumber = (digits: string) =>
  /^-?\d+(?:\.\d+)?$/.test(digits.trim()) ? Number(digits) : Number.NaN;

export const integer = (name: string, described: Described<number> & Range): Variable<number> =>
  measured(name, described, parseNumber, { what: "a whole number" });

export const optionalInteger = (
  name: string,
  { about, min, max }: { readonly about: string } & Range,
): Variable<number | undefined> =>
  variable<number | undefined>(
    name,
    about,
    numberSchema(parseNumber, rangeOf(min, max), { what: "a whole number" }),
    undefined,
  );

/** A number that need not be whole. */
export const decimal = (name: string, described: Described<number> & Range): Variable<number> =>
  measured(name, described, parseNumber, { what: "a number", isWhole: false });

/** Milliseconds, or a time with its unit: 250ms, 30s, 5m. The name should end in `_MS`. */
export const duration = (name: string, described: Described<number> & Range): Variable<number> =>
  measured(name, described, (it) => parseTime(it, "ms"), {
    what: "a time such as 250ms, 30s, 5m or 2h, or milliseconds without a unit,",
    unit: " ms",
  });

/** The same in seconds, for what is only known to the second. */
export const seconds = (name: string, described: Described<number> & Range): Variable<number> =>
  measured(name, described, (it) => parseTime(it, "s"), {
    what: "a time such as 30s or 2m, or seconds without a unit,",
    unit: " s",
  });

/** Bytes, or a size with its unit: 64KiB, 12MB. The name should end in `_BYTES`. */
export const bytes = (name: string, described: Described<number> & Range): Variable<number> =>
  measured(name, described, parseBytes, {
    what: "a size such as 64KiB, 12MB or 1GiB, or bytes without a unit,",
    unit: " bytes",
  });

/** A number with its bounds, however it is written. @param said how the sentence about a bad one names it */
const measured = (
  name: string,
  { about, default: value, min, max }: Described<number> & Range,
  parse: Parameters<typeof numberSchema>[0],
  said: Parameters<typeof numberSchema>[2],
): Variable<number> => variable(name, about, numberSchema(parse, rangeOf(min, max), said), String(value));

/** Absent bounds are left out: a field that is present but undefined would hide its default. */
const rangeOf = (min: number | undefined, max: number | undefined): Range => ({
  ...(min === undefined ? {} : { min }),
  ...(max === undefined ? {} : { max }),
});

export const flag = (name: string, { about, default: value }: Described<boolean>): Variable<boolean> =>
  variable(
    name,
    about,
    z.enum(["true", "false", "1", "0"], "true or false").transform((it) => it === "true" || it === "1"),
    String(value),
  );

export const choice = <const T extends string>(
  name: string,
  { about, default: value, of }: Described<T> & { readonly of: readonly [T, ...T[]] },
): Variable<T> =>
  variable<T>(name, about, z.enum(of, `one of ${of.join(", ")}`) as unknown as z.ZodType<T, string>, value);

/** A number that must be one of a few. */
export const oneOf = <const T extends number>(
  name: string,
  { about, default: value, of }: Described<T> & { readonly of: readonly T[] },
): Variable<number> =>
  variable(
    name,
    about,
    z
      .string()
      .transform(parseNumber)
      .refine((it) => (of as readonly number[]).includes(it), `one of ${of.join(", ")}`),
    String(value),
  );

/**
 * Reads `variables` from `env`. An empty variable counts as missing.
 * @throws GatewayError `config.invalid` with a sentence for each bad variable: its value, and what would be right
 */
export function parseEnvironment<E extends Environment>(variables: E, env: NodeJS.ProcessEnv): ConfigOf<E> {
  const { values, problems: found } = resolveEnvironment(variables, env);
  const problems = [...found];
  const config: Record<string, unknown> = {};
  for (const [key, { name, schema, secret: isSecret }] of Object.entries(variables)) {
    const given = values.get(name)?.text;
    if (given === undefined) {
      config[key] = undefined;
      continue;
    }
    const result = schema.safeParse(given);
    if (result.success) config[key] = result.data;
    else {
      const shown = isSecret ? SECRET : JSON.stringify(withoutPassword(given));
      const right = result.error.issues[0]?.message ?? "something else";
      problems.push(`${name}=${shown} can't be used: it must be ${right}.`);
    }
  }
  if (problems.length > 0) throw new GatewayError("config.invalid", problems.join("\n"));
  return config as ConfigOf<E>;
}

/** Rows of a documentation table. */
export function describeEnvironment(
  variables: Environment,
): { name: string; default: string; about: string }[] {
  return Object.values(variables).map(({ name, defaultText, about, secret: isSecret }) => ({
    name,
    default: (defaultText || undefined) ?? (isSecret ? "none (secret)" : "none"),
    about,
  }));
}
