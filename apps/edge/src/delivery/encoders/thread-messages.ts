import type { OutputFormat } from "./output-format.ts";

/** To a thread. What is asked of one encoder is done in order. */
export type ThreadRequest =
  | { readonly kind: "open"; readonly id: number; readonly format: OutputFormat; readonly fromHz: number }
  | { readonly kind: "encode"; readonly id: number; readonly pcm: Uint8Array<ArrayBuffer> }
  | { readonly kind: "finish"; readonly id: number }
  | { readonly kind: "close"; readonly id: number };

/** One for each `encode` and `finish`. */
export type ThreadReply =
  | { readonly id: number; readonly pieces: readonly Uint8Array<ArrayBuffer>[] }
  | { readonly id: number; readonly failure: string };
