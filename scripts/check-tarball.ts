import { readFile } from "node:fs/promises";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

/**
 * `node scripts/check-tarball.ts TARBALL…`: whether a packed package is right for every kind of importer, by publint and
 * by are-the-types-wrong. One line per problem; exit code 1 where there is one.
 */
for (const path of process.argv.slice(2)) {
  const tarball = new Uint8Array(await readFile(path));
  for (const problem of [...(await typeProblems(tarball)), ...(await manifestProblems(tarball))]) {
    console.log(`${path}: ${problem}`);
    process.exitCode = 1;
  }
}

async function typeProblems(tarball: Uint8Array): Promise<string[]> {
  // The worklet is loaded by its address, and imported by none.
  const excludeEntrypoints = ["./worklet.js"];
  const analysis = await checkPackage(createPackageFromTarballData(tarball), { excludeEntrypoints });
  if (analysis.types === false) return ["it has no types"];
  // Node 10 knows no "exports"; it finds the main entry alone.
  return analysis.problems
    .filter((problem) => !("resolutionKind" in problem && problem.resolutionKind === "node10"))
    .map((problem) => `types: ${JSON.stringify(problem)}`);
}

async function manifestProblems(tarball: Uint8Array): Promise<string[]> {
  const { buffer, byteOffset, byteLength } = tarball;
  const data = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
  const { messages, pkg } = await publint({ pack: { tarball: data }, strict: true });
  return messages.map((message) => `publint: ${formatMessage(message, pkg) ?? message.code}`);
}
