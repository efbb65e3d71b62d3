/** Tests and `npm run chaos` have the same dice. */
export { Random } from "../../scripts/random.ts";
