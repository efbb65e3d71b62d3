/**
 * An epoch names one incarnation of one life of a stream: `<life>.<fence>`. The life is drawn at random when
 * the stream is created, so that a stream that was lost and made anew is not taken for the old one.
 */
export interface Epoch {
  readonly life: string;
  readonly fence: number;
}

export const encodeEpoch = (life: string, fence: number): string => `${life}.${fence}`;

/** `undefined` for what no stream has ever called itself. */
export function parseEpoch(epoch: string): Epoch | undefined {
  const [, life, fence] = /^([A-Za-z0-9_-]{1,64})\.([1-9]\d{0,8})$/.exec(epoch) ?? [];
  return life === undefined ? undefined : { life, fence: Number(fence) };
}
