export interface CacheContext {
  readonly env: NodeJS.ProcessEnv;
  /** Relative file names are seen from here: where the person stands, which `npm run` changes. */
  readonly folder: string;
  readonly interrupted: AbortSignal;
}

export interface DeskOptions {
  readonly json?: boolean;
  readonly voice?: string;
}

export interface WarmOptions {
  readonly url: string;
  readonly voice?: string;
  readonly model?: string;
  readonly language?: string;
  readonly concurrency: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}
