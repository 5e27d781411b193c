// Compiles contracts/*.tolk to contracts/artefacts/*.json.
// `--check` compiles again and compares with the committed artefacts instead: exit code 1 on a difference.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runTolkCompiler } from "@ton/tolk-js";

const CONTRACTS = ["Root", "Proxy", "Client", "Worker", "Wallet", "Governor", "CodecOracle"];
const sources = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "contracts");
const artefacts = join(sources, "artefacts");

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

/** Compiles one contract to the text of its artefact. */
async function compile(contract) {
  const result = await runTolkCompiler({
    entrypointFileName: `${contract}.tolk`,
    fsReadCallback: (path) => readFileSync(join(sources, path), "utf8"),
  });
  if (result.status !== "ok") throw new Error(`${contract}: ${result.message}`);
  if (result.stderr) process.stderr.write(result.stderr);
  const artefact = {
    contract,
    compiler: { name: "tolk", version: result.tolkVersion },
    code_boc_base64: result.codeBoc64,
    code_hash: result.codeHashHex.toLowerCase().padStart(64, "0"),
    source_hash: sourceHash(result.sourcesSnapshot),
  };
  return JSON.stringify(artefact, null, 2) + "\n";
}

function committed(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

const check = process.argv.includes("--check");
let differences = 0;
mkdirSync(artefacts, { recursive: true });
for (const contract of CONTRACTS) {
  const path = join(artefacts, `${contract}.json`);
  const text = await compile(contract);
  if (!check) {
    writeFileSync(path, text);
    console.log(`${contract} ${JSON.parse(text).code_hash}`);
  } else if (committed(path) !== text) {
    differences += 1;
    console.error(`${contract}: contracts/artefacts/${contract}.json is not what the sources compile to`);
  }
}
if (differences > 0) {
  console.error("hint: run `npm run build` in scripts/contracts and commit the result");
  process.exitCode = 1;
} else if (check) {
  console.log(`${CONTRACTS.length} artefacts match their sources`);
}
