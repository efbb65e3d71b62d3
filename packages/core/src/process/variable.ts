import type { z } from "zod";

/** An environment variable: its name, what it is for, and what it takes. */
export interface Variable<T> {
  readonly name: string;
  readonly about: string;
  readonly schema: z.ZodType<T, string>;
  /** As one would write it in the environment; absent where there is none and the variable may be missing. */
  readonly defaultText: string | undefined;
  readonly secret: boolean;
}

export type Environment = Readonly<Record<string, Variable<unknown>>>;

export type ConfigOf<E extends Environment> = {
  readonly [K in keyof E]: E[K] extends Variable<infer T> ? T : never;
};
