/** Milliseconds of each unit of time. */
const TIME_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Bytes of each unit, in the two systems that both are in use. */
const BYTE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1_000,
  KB: 1_000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  KiB: 1_024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
};

const QUANTITY = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)?$/;

/** "30s", "1.5 m", or a bare number in the unit `bare`. @returns in `bare`; NaN where it is no time */
export const parseTime = (text: string, bare: "ms" | "s"): number =>
  parseQuantity(text, TIME_UNITS, bare) / (TIME_UNITS[bare] ?? 1);

/** "12MB", "64 KiB", or a bare number of bytes. @returns NaN where it is none */
export const parseBytes = (text: string): number => parseQuantity(text, BYTE_UNITS, "B");

function parseQuantity(text: string, units: Readonly<Record<string, number>>, bare: string): number {
  const [, digits, unit = bare] = QUANTITY.exec(text.trim()) ?? [];
  const size = Object.hasOwn(units, unit) ? units[unit] : undefined;
  return digits === undefined || size === undefined ? Number.NaN : Number(digits) * size;
}
