/** Tests and `npm run chaos` have the same cluster. */
export { type PrivateCluster, startPrivateCluster } from "../../scripts/private-cluster.ts";
