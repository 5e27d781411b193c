// Bugs seeded in the governor.

export default [
  {
    name: "governor-threshold-off-by-one",
    what: "One approval too few suffices.",
    file: "governor/proposals.tolk",
    search: "if (countApprovals(self.approvals) < self.class.threshold(config))",
    replace: "if (countApprovals(self.approvals) + 1 < self.class.threshold(config))",
    contracts: ["Governor"],
  },
  {
    name: "governor-approval-counted-twice",
    what: "An approval is taken for one of the next index too.",
    file: "Governor.tolk",
    search: "val approval = 1 << msg.signerIndex;\n            assert ((proposal.approvals & approval) == 0)",
    replace: "val approval = 3 << msg.signerIndex;\n            assert ((proposal.approvals & approval) == 0)",
    contracts: ["Governor"],
  },
  {
    name: "governor-executes-before-the-delay",
    what: "The delay is not waited for.",
    file: "governor/execution.tolk",
    search: "    assert (blockchain.now() >= proposal.readyAt) throw Errors.Timelocked;\n",
    replace: "",
    contracts: ["Governor"],
  },
  {
    name: "governor-council-cancels-revocations",
    what: "The council may cancel a revocation.",
    file: "Governor.tolk",
    search: "            assert (proposal.class.isWithinCouncilsReach()) throw Errors.CannotCancel;\n",
    replace: "",
    contracts: ["Governor"],
  },
  {
    name: "governor-bounce-loses-the-proposal",
    what: "A proposal that the root refused is forgotten.",
    file: "Governor.tolk",
    search: "queryIdOf(bounced.originalBody.beginParse()), false);",
    replace: "queryIdOf(bounced.originalBody.beginParse()), true);",
    contracts: ["Governor"],
  },
  {
    name: "governor-old-signers-still-count",
    what: "Proposals from before a change of the signers are still good.",
    file: "governor/execution.tolk",
    search: "            self.epoch += 1;\n",
    replace: "",
    contracts: ["Governor"],
  },
];
