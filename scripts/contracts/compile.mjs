// Compiles one contract; what build.mjs and mutants.mjs share.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runTolkCompiler } from "@ton/tolk-js";

export const repository = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
export const sources = join(repository, "contracts");

/** Hash of all sources that took part, in the order of their names. */
function sourceHash(snapshot) {
  const hash = createHash("sha256");
  for (const { filename, contents } of [...snapshot].sort((a, b) => (a.filename < b.filename ? -1 : 1))) {
    if (filename.startsWith("@stdlib/")) continue;
    const bytes = Buffer.from(contents, "utf8");
    hash.update(`${filename}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/** Compiles a contract. `read` gives the text of a source by its path below contracts/. */
export async function compile(contract, read = source) {
  const result = await runTolkCompiler({
    entrypointFileName: `${contract}.tolk`,
    fsReadCallback: read,
  });
  if (result.status !== "ok") throw new Error(`${contract}: ${result.message}`);
  if (result.stderr) process.stderr.write(result.stderr);
  return {
    compiler: { name: "tolk", version: result.tolkVersion },
    code_boc_base64: result.codeBoc64,
    code_hash: result.codeHashHex.toLowerCase().padStart(64, "0"),
    source_hash: sourceHash(result.sourcesSnapshot),
  };
}

/** The text of a source. */
export function source(path) {
  return readFileSync(join(sources, path), "utf8");
}

/** The text of a file, empty if it is not there. */
export function committed(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
