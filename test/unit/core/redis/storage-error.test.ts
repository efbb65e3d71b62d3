import { toStorageError } from "@tts-labs/core/redis/storage-error";
import { expect, test } from "vitest";

const reply = (message: string): Error => Object.assign(new Error(message), { name: "ReplyError" });

test.each([
  ["OOM command not allowed when used memory > 'maxmemory'.", "storage.full"],
  [
    "ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed when used memory > 'maxmemory'.",
    "storage.full",
  ],
  [
    "READONLY You can't write against a read only replica. script: 1, on @user_script:7.",
    "storage.read_only",
  ],
  [
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist",
    "storage.disk_failed",
  ],
  ["LOADING Redis is loading the dataset in memory", "storage.loading"],
  ["CLUSTERDOWN The cluster is down", "storage.unavailable"],
  ["ERR wrong number of arguments for 'set' command", "internal"],
])("what Redis says of itself becomes its own code: %s", (message, code) => {
  const error = toStorageError(reply(message));
  expect(error.code).toBe(code);
  if (code !== "internal") expect(error.retryable).toBe(true);
});

test("an answer that did not come is a timeout, and anything else that is not an answer is unavailable", () => {
  expect(toStorageError(new Error("Command timed out")).code).toBe("storage.timeout");
  expect(toStorageError(new Error("Connection is closed.")).code).toBe("storage.unavailable");
  expect(toStorageError("gone").code).toBe("storage.unavailable");
});
