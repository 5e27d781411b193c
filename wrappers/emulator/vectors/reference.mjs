// Makes reference.json: the reference emulator (as @ton/sandbox ships it) runs the steps that our emulator ran.
//
//   COCOON_REFERENCE_STEPS=steps.txt cargo test --release -p cocoon-emulator every_step_can_be_told
//   npm install @ton/sandbox@0.41.0 @ton/core @ton/crypto
//   node reference.mjs steps.txt > reference.json
import { readFileSync } from 'node:fs';
import { Cell } from '@ton/core';
import { Executor } from '@ton/sandbox';

const executor = await Executor.create();
const lines = [];
for (const line of readFileSync(process.argv[2], 'utf8').split('\n')) {
    const [name, index, config, shardAccount, message, lt, now, ours] = line.split(' ');
    const { result } = await executor.runTransaction({
        config,
        libs: null,
        verbosity: 'short',
        shardAccount,
        message: Cell.fromBase64(message),
        now: Number(now),
        lt: BigInt(lt),
        randomSeed: Buffer.alloc(32),
        ignoreChksig: false,
        debugEnabled: false,
    });
    if (!result.success) {
        throw new Error(`step ${name} ${index}: ${result.error}`);
    }
    const transaction = Cell.fromBase64(result.transaction).hash().toString('hex');
    const account = Cell.fromBase64(result.shardAccount).refs[0].hash().toString('hex');
    if (transaction !== Cell.fromBase64(ours).hash().toString('hex')) {
        console.error(`step ${name} ${index} differs`);
        if (process.env.SHOW) {
            console.error(`ours:\n${Cell.fromBase64(ours)}\ntheirs:\n${Cell.fromBase64(result.transaction)}`);
        }
    }
    lines.push(`  "${name} ${index} ${transaction} ${account}"`);
}
console.log(`[\n${lines.join(',\n')}\n]`);
