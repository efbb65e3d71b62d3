import type { BudgetName } from "./limits.ts";

/** What became of the one who reached a bound. */
export type BudgetAction = "paused" | "refused" | "closed";

export interface BudgetObserver {
  budgetReached(budget: BudgetName, action: BudgetAction): void;
}
