import { silentLogger } from "@tts-labs/core/logger";
import { defaultEdgeConfig, type EdgeConfig } from "@tts-labs/edge/config";
import type { Edge } from "@tts-labs/edge/edge";
import { startEdge } from "@tts-labs/edge/main";
import { type EdgeAlone, type EdgeAloneOptions, startEdgeAlone } from "./edge-alone.ts";

/** Two edges over one Redis, with a fake worker behind them. */
export interface TwoEdges extends EdgeAlone {
  readonly other: Edge;
  /** Their addresses. */
  readonly urls: readonly [string, string];
}

export async function startTwoEdges(options: EdgeAloneOptions): Promise<TwoEdges> {
  const alone = await startEdgeAlone(options);
  const config: Partial<EdgeConfig> = { redisUrl: options.redisUrl, keyPrefix: alone.keys.prefix };
  const other = await startEdge(defaultEdgeConfig({ port: 0, ...config, ...options.edge }), silentLogger);
  return {
    ...alone,
    other,
    urls: [alone.edge.url, other.url],
    close: async () => {
      await other.close();
      await alone.close();
    },
  };
}
