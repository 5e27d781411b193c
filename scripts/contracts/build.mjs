// Compiles contracts/*.tolk to contracts/artefacts/*.json: all of them, or those named.
// `--check` compiles again and compares with the committed artefacts instead: exit code 1 on a difference.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { committed, compile, sources } from "./compile.mjs";

const CONTRACTS = ["Root", "Proxy", "Client", "Worker", "Wallet", "Governor", "CodecOracle"];
const artefacts = join(sources, "artefacts");

const check = process.argv.includes("--check");
const named = process.argv.slice(2).filter((argument) => argument !== "--check");
const unknown = named.filter((name) => !CONTRACTS.includes(name));
if (unknown.length > 0) {
  console.error(`error: no contract named ${unknown.join(", ")}`);
  console.error(`hint: there are ${CONTRACTS.join(", ")}`);
  process.exit(2);
}
const contracts = named.length > 0 ? named : CONTRACTS;

let differences = 0;
mkdirSync(artefacts, { recursive: true });
for (const contract of contracts) {
  const path = join(artefacts, `${contract}.json`);
  const artefact = { contract, ...(await compile(contract)) };
  const text = JSON.stringify(artefact, null, 2) + "\n";
  if (!check) {
    writeFileSync(path, text);
    console.log(`${contract} ${artefact.code_hash}`);
  } else if (committed(path) !== text) {
    differences += 1;
    console.error(`${contract}: contracts/artefacts/${contract}.json is not what the sources compile to`);
  }
}
if (differences > 0) {
  console.error("hint: run `npm run build` in scripts/contracts and commit the result");
  process.exitCode = 1;
} else if (check) {
  console.log(`${contracts.length} artefacts match their sources`);
}
