// Bugs seeded in the root contract.

export default [
  {
    name: "root-adds-to-the-wrong-list",
    what: "A proxy hash is added to the workers'.",
    file: "Root.tolk",
    search: "data.proxyHashes.set(msg.hash, {});",
    replace: "data.workerHashes.set(msg.hash, {});",
    contracts: ["Root"],
  },
  {
    name: "root-terms-keep-their-version",
    what: "New terms have the version of the old ones.",
    file: "Root.tolk",
    search: "    self.paramsVersion += 1;\n",
    replace: "",
    contracts: ["Root"],
  },
  {
    name: "root-fee-above-the-price",
    what: "A worker's fee above the price is accepted.",
    file: "Root.tolk",
    search: "    assert (self.workerFeePerToken <= self.pricePerToken) throw Errors.MessageFormat;\n",
    replace: "",
    contracts: ["Root"],
  },
  {
    name: "root-numbers-proxies-twice",
    what: "Every proxy gets the number of the one before.",
    file: "Root.tolk",
    search: "            data.lastProxySeqno += 1;\n",
    replace: "",
    contracts: ["Root"],
  },
  {
    name: "root-owned-by-anyone",
    what: "Anyone may change the owner.",
    file: "Root.tolk",
    search: "            assert (fromOwner) throw Errors.ExpectedMessageFromOwner;\n            root.owner = msg.newOwner;",
    replace: "            root.owner = msg.newOwner;",
    contracts: ["Root"],
  },
];
