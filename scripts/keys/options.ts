import type { Role } from "@tts-labs/core/access/key-store";
import { LIMIT_NAMES, MAX_WEIGHT, TENANT_PATTERN, type TenantLimits } from "@tts-labs/core/access/tenant";
import { isOrigin } from "@tts-labs/core/http/door";
import { InvalidArgumentError } from "commander";

export interface KeysContext {
  readonly env: NodeJS.ProcessEnv;
  readonly print: (line: string) => void;
  readonly complain: (line: string) => void;
}

export interface PolicyOptions {
  readonly limit?: Readonly<Record<string, number | undefined>>;
  readonly origins?: readonly string[];
  readonly weight?: number;
  readonly json?: boolean;
}

export interface CreateOptions extends PolicyOptions {
  readonly tenant: string;
  readonly name: string;
  readonly role: Role;
  readonly expires?: number;
}

export interface RotateOptions {
  readonly grace: number;
  readonly json?: boolean;
}

export interface UsageOptions {
  readonly tenant?: string;
  readonly month?: string;
  readonly json?: boolean;
}

const MAX_NAME = 100;
const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

export function tenant(text: string): string {
  if (TENANT_PATTERN.test(text)) return text;
  throw new InvalidArgumentError(
    "It must be 1 to 63 small letters, digits or inner hyphens, such as acme-web.",
  );
}

export function keyName(text: string): string {
  if (text.length <= MAX_NAME && /^[^\p{C}]*$/u.test(text)) return text;
  throw new InvalidArgumentError(`It must be at most ${MAX_NAME} printable characters.`);
}

export function month(text: string): string {
  if (/^\d{4}-(0[1-9]|1[0-2])$/.test(text)) return text;
  throw new InvalidArgumentError("It must be a year and a month, such as 2026-11.");
}

/** Milliseconds. */
export function time(text: string): number {
  const [, amount, unit = ""] = /^(\d{1,6})(s|min|h|d)$/.exec(text) ?? [];
  if (amount !== undefined) return Number(amount) * (UNITS_MS[unit] ?? 0);
  throw new InvalidArgumentError("It must be a number and a unit: 30s, 15min, 12h or 90d.");
}

export function origins(text: string): readonly string[] {
  const all = text.split(",").map((it) => it.trim().toLowerCase());
  const given = all.filter((it) => it !== "");
  if (given.every(isOrigin)) return given;
  throw new InvalidArgumentError("They must be origins with commas between them: https://app.example.com,…");
}

/** `name=value`, added to those given before; `name=none` takes a limit away. */
export function limit(
  text: string,
  before: Readonly<Record<string, number | undefined>> = {},
): Readonly<Record<string, number | undefined>> {
  const [, name = "", value = ""] = /^([a-z-]+)=(none|\d{1,12})$/.exec(text) ?? [];
  const known = Object.hasOwn(LIMIT_NAMES, name) ? LIMIT_NAMES[name] : undefined;
  if (known !== undefined) return { ...before, [known]: value === "none" ? undefined : Number(value) };
  const names = Object.keys(LIMIT_NAMES).join(", ");
  throw new InvalidArgumentError(`It must be NAME=NUMBER or NAME=none, where NAME is one of ${names}.`);
}

export function weight(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= MAX_WEIGHT) return value;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_WEIGHT}.`);
}

/** `limits` with what was given for some of them. */
export function changedLimits(limits: TenantLimits, given: PolicyOptions["limit"] = {}): TenantLimits {
  const all = Object.entries({ ...limits, ...given }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(all) as TenantLimits;
}
