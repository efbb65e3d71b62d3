/** Tests and `npm run chaos` have the same proxy. */
export { ChaosProxy } from "../../scripts/chaos/tcp-proxy.ts";
