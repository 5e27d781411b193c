// Bugs seeded in the worker contract, and in what client and worker share.

export default [
  {
    name: "worker-last-payout-leaves-it-open",
    what: "The last payout does not close the contract.",
    file: "Worker.tolk",
    search: "            worker.state = Lifecycle.Closed;\n",
    replace: "",
    contracts: ["Worker"],
  },
  {
    name: "worker-bounced-payout-is-lost",
    what: "A payout that bounces leaves the tokens paid.",
    file: "Worker.tolk",
    search: "worker.tokens -= (payout.workerPart + payout.proxyPart) / params.pricePerToken;",
    replace: "worker.tokens -= 0 * (payout.workerPart + payout.proxyPart) / params.pricePerToken;",
    contracts: ["Worker"],
  },
];
