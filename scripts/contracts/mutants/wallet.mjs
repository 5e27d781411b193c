// Bugs seeded in the wallet.

export default [
  {
    name: "wallet-message-repeats",
    what: "The number of external messages does not grow.",
    file: "Wallet.tolk",
    search: "    wallet.seqno += 1;\n",
    replace: "",
    contracts: ["Wallet"],
  },
  {
    name: "wallet-block-ignored",
    what: "A blocked wallet takes external messages.",
    file: "Wallet.tolk",
    search: "    assert (wallet.status == WALLET_ACTIVE) throw Errors.Blocked;\n",
    replace: "",
    contracts: ["Wallet"],
  },
  {
    name: "wallet-obeys-anyone",
    what: "Anyone may send from the wallet.",
    file: "Wallet.tolk",
    search: "            assert (in.senderAddress == wallet.owner) throw Errors.NotOwner;\n            sendRawMessage(msg.message, msg.mode);",
    replace: "            sendRawMessage(msg.message, msg.mode);",
    contracts: ["Wallet"],
  },
];
