/** What we read of vitest's JSON report. */
export interface VitestReport {
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Counts tests. A file that failed before any test of it could run counts as one failed test. */
export function countTests(report: VitestReport | undefined): TestCounts {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for (const { status, assertionResults } of report?.testResults ?? []) {
    for (const test of assertionResults) {
      if (test.status === "passed") passed += 1;
      else if (test.status === "failed") failed += 1;
      else skipped += 1;
    }
    if (status === "failed" && !assertionResults.some((test) => test.status === "failed")) failed += 1;
  }
  return { passed, failed, skipped };
}
