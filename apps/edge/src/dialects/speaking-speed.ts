/** What the provider can do; clients of other services may ask for 0.25 to 4. */
const SLOWEST = 0.7;
const FASTEST = 1.2;

/** The nearest speed that the provider has. */
export const nearestSpeed = (speed: number): number => Math.min(FASTEST, Math.max(SLOWEST, speed));
