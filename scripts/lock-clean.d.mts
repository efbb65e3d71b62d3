/** A parsed package-lock.json, as far as it is mended. */
export interface Lock {
  readonly packages: Record<
    string,
    { optionalDependencies?: Record<string, string>; resolved?: string; link?: boolean }
  >;
}

export function cleanLock(lock: Lock): string[];
