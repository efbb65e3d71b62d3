import { GatewayError } from "@tts-labs/protocol/errors";
import { z } from "zod";

/**
 * Configuration from environment variables: each with a type, a default, a unit and a sentence, so that the
 * README's table is generated from the same words that are enforced. Every bad variable is reported at once.
 */
export interface Variable<T> {
  readonly name: string;
  readonly about: string;
  readonly schema: z.ZodType<T, string>;
  /** As one would write it in the environment; absent where there is none and the variable may be missing. */
  readonly defaultText: string | undefined;
  readonly secret: boolean;
}

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

const number = (of: z.ZodNumber) => z.string().transform(Number).pipe(of);

export const text = (name: string, { about, default: value }: Described<string>): Variable<string> =>
  variable(name, about, z.string(), value);

export const optionalText = (
  name: string,
  { about }: { readonly about: string },
): Variable<string | undefined> => variable<string | undefined>(name, about, z.string(), undefined);

/** Values separated by commas; none where it is missing. */
export const list = (
  name: string,
  { about, isValid = () => true, right }: ListDescription,
): Variable<readonly string[]> =>
  variable<readonly string[]>(
    name,
    about,
    z
      .string()
      .transform((value) => value.split(",").map((it) => it.trim()))
      .transform((values) => values.filter((it) => it !== ""))
      .refine((values) => values.every(isValid), `each value must be ${right ?? "a text"}`),
    "",
  );

interface ListDescription {
  readonly about: string;
  readonly isValid?: (value: string) => boolean;
  /** What a valid value is, in words. */
  readonly right?: string;
}

/** A key or token: printed as `[secret]`. */
export const secret = (
  name: string,
  { about }: { readonly about: string },
): Variable<string | undefined> => ({
  ...variable<string | undefined>(name, about, z.string().min(1), undefined),
  secret: true,
});

export const integer = (
  name: string,
  {
    about,
    default: value,
    min = 0,
    max = Number.MAX_SAFE_INTEGER,
  }: Described<number> & { readonly min?: number; readonly max?: number },
): Variable<number> => variable(name, about, number(z.int().min(min).max(max)), String(value));

export const optionalInteger = (
  name: string,
  { about, min = 0, max }: { readonly about: string; readonly min?: number; readonly max: number },
): Variable<number | undefined> =>
  variable<number | undefined>(name, about, number(z.int().min(min).max(max)), undefined);

/** Milliseconds; the name should end in `_MS`. */
export const duration = integer;

export const flag = (name: string, { about, default: value }: Described<boolean>): Variable<boolean> =>
  variable(
    name,
    about,
    z.enum(["true", "false", "1", "0"]).transform((it) => it === "true" || it === "1"),
    String(value),
  );

export const choice = <const T extends string>(
  name: string,
  { about, default: value, of }: Described<T> & { readonly of: readonly [T, ...T[]] },
): Variable<T> => variable<T>(name, about, z.enum(of) as unknown as z.ZodType<T, string>, value);

/** A number that must be one of a few. */
export const oneOf = <const T extends number>(
  name: string,
  { about, default: value, of }: Described<T> & { readonly of: readonly T[] },
): Variable<number> =>
  variable(
    name,
    about,
    number(
      z.number().refine((it) => (of as readonly number[]).includes(it), `must be one of ${of.join(", ")}`),
    ),
    String(value),
  );

export type Environment = Readonly<Record<string, Variable<unknown>>>;

export type ConfigOf<E extends Environment> = {
  readonly [K in keyof E]: E[K] extends Variable<infer T> ? T : never;
};

/**
 * Reads `variables` from `env`. An empty variable counts as missing.
 * @throws GatewayError `config.invalid` that names every bad variable, what is wrong and what it is for
 */
export function parseEnvironment<E extends Environment>(variables: E, env: NodeJS.ProcessEnv): ConfigOf<E> {
  const problems: string[] = [];
  const config: Record<string, unknown> = {};
  for (const [key, { name, about, schema, defaultText, secret: isSecret }] of Object.entries(variables)) {
    const given = env[name] === undefined || env[name] === "" ? defaultText : env[name];
    if (given === undefined) {
      config[key] = undefined;
      continue;
    }
    const result = schema.safeParse(given);
    if (result.success) config[key] = result.data;
    else {
      const shown = isSecret ? "[secret]" : JSON.stringify(given);
      problems.push(`${name}=${shown}: ${result.error.issues[0]?.message ?? "not valid"} (${about})`);
    }
  }
  if (problems.length > 0) {
    throw new GatewayError("config.invalid", `The configuration can't be used:\n  ${problems.join("\n  ")}`);
  }
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
