import { KNOWN_ERRORS } from "@tts-labs/client/known-errors";
import { ERROR_CATALOGUE, type ErrorCode } from "@tts-labs/protocol/errors";
import { expect, it } from "vitest";

it("the client knows every close code, and says of each error what the catalogue says", () => {
  const known = Object.entries(KNOWN_ERRORS).map(([code, error]) => ({
    code,
    closeCode: undefined,
    ...error,
  }));
  const expected = known.map(({ code }) => {
    const row = ERROR_CATALOGUE[code as ErrorCode];
    const closeCode = "closeCode" in row ? row.closeCode : undefined;
    return { code, closeCode, meaning: row.meaning, retryable: row.retryable };
  });
  expect(known).toEqual(expected);
  const closing = Object.entries(ERROR_CATALOGUE).filter(([, row]) => "closeCode" in row);
  expect(closing.length).toBeGreaterThan(10);
  expect(closing.map(([code]) => code).filter((code) => !Object.hasOwn(KNOWN_ERRORS, code))).toEqual([]);
});
