// Compiles the contracts with one seeded bug each to tests/contracts/mutants/*.json: all mutants, or those named.
// `--check` compiles again and compares with the committed files instead: exit code 1 on a difference.
//
// A mutant is a search and replace in one source. The search must be found exactly once, and the code must change: a
// mutant that no longer applies is an error, not a mutant less.

import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { committed, compile, repository, source } from "./compile.mjs";
import client from "./mutants/client.mjs";
import governor from "./mutants/governor.mjs";
import proxy from "./mutants/proxy.mjs";
import root from "./mutants/root.mjs";
import wallet from "./mutants/wallet.mjs";
import worker from "./mutants/worker.mjs";

const MUTANTS = [...client, ...worker, ...proxy, ...root, ...governor, ...wallet];
const folder = join(repository, "tests", "contracts", "mutants");

/** The patched text of a mutant's source. */
function patched({ name, file, search, replace }) {
  const parts = source(file).split(search);
  if (parts.length !== 2) throw new Error(`${name}: contracts/${file} has ${parts.length - 1} places to patch, not one`);
  return parts.join(replace);
}

/** The text of a mutant's file. */
async function mutate(mutant) {
  const text = patched(mutant);
  const read = (path) => (path === mutant.file ? text : source(path));
  const codes = {};
  for (const contract of mutant.contracts) {
    const code = await compile(contract, read);
    const unpatched = JSON.parse(committed(join(repository, "contracts", "artefacts", `${contract}.json`)));
    if (code.code_hash === unpatched.code_hash) throw new Error(`${mutant.name}: the code of ${contract} does not change`);
    codes[contract] = { code_boc_base64: code.code_boc_base64, code_hash: code.code_hash };
  }
  const { name, what, file, search, replace } = mutant;
  return JSON.stringify({ name, what, file, search, replace, codes }, null, 2) + "\n";
}

const check = process.argv.includes("--check");
const named = process.argv.slice(2).filter((argument) => argument !== "--check");
const chosen = named.length > 0 ? MUTANTS.filter(({ name }) => named.includes(name)) : MUTANTS;
const names = MUTANTS.map(({ name }) => `${name}.json`);
if (new Set(names).size !== names.length) throw new Error("two mutants have one name");

let differences = 0;
let failures = 0;
mkdirSync(folder, { recursive: true });
for (const mutant of chosen) {
  const path = join(folder, `${mutant.name}.json`);
  let text;
  try {
    text = await mutate(mutant);
  } catch (error) {
    failures += 1;
    console.error(`error: ${error.message}`);
    continue;
  }
  if (!check) {
    writeFileSync(path, text);
  } else if (committed(path) !== text) {
    differences += 1;
    console.error(`${mutant.name}: tests/contracts/mutants/${mutant.name}.json is not what the sources compile to`);
  }
}
for (const file of readdirSync(folder).filter((file) => file.endsWith(".json") && !names.includes(file))) {
  differences += 1;
  if (check) console.error(`${file}: no such mutant is described`);
  else rmSync(join(folder, file));
}
if (failures > 0) {
  console.error("hint: a source has changed under its mutant; describe the bug anew in scripts/contracts/mutants");
  process.exitCode = 2;
} else if (check && differences > 0) {
  console.error("hint: run `npm run mutants` in scripts/contracts and commit the result");
  process.exitCode = 1;
} else {
  console.log(`${chosen.length} mutants ${check ? "match their descriptions" : "compiled"}`);
}
