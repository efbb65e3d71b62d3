import { runEdge } from "@tts-labs/edge/main";

/** An edge without the protection that ends an utterance whose stream Redis has forgotten: it waits for the stall limit. */
await runEdge({ noticesLoss: false });
