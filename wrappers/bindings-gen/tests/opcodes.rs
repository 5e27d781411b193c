//! Opcodes: those of the deployed contracts are as they are, ours follow from the names.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails here is a test")]

use cocoon_bindings_gen::abi::{ContractAbi, Declaration};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Opcodes of the deployed contracts, which no change of a name may move.
const DEPLOYED: [(&str, u64); 54] = [
    ("TopUpPayload", 0x5cfc6b87),
    ("RegisterPayload", 0xa35cb580),
    ("RefundPayload", 0xc68ebc7b),
    ("ForcedRefundPayload", 0xf4c354c9),
    ("ClientStep", 0x65448ff4),
    ("AskToTopUp", 0xf172e6c2),
    ("TopUpWithSecretFromOwner", 0x8473b408),
    ("ReopenFromOwner", 0x29111ceb),
    ("RegisterFromOwner", 0xc45f9f3b),
    ("ChangeSecretHashFromOwner", 0xa9357034),
    ("IncreaseStakeFromOwner", 0x6a1f6a60),
    ("WithdrawFromOwner", 0xda068e78),
    ("RequestRefundFromOwner", 0xfafa6cc1),
    ("ChargePayload", 0xbb63ff93),
    ("ChargeSigned", 0xbb63ff93),
    ("GrantRefundPayload", 0xefd711e1),
    ("GrantRefundSigned", 0xefd711e1),
    ("ReturnExcessesBack", 0x2565934c),
    ("PayoutNotificationForOwner", 0xc59a7cd3),
    ("DoNotProcess", 0x9a1247c0),
    ("StateCommitNote", 0x53109c0f),
    ("TextCommand", 0x00000000),
    ("AskToIncreaseProxyStake", 0x9713f187),
    ("AskToWithdrawEarnings", 0x7610e6eb),
    ("CloseProxyFromOwner", 0xb51d5a01),
    ("CloseProxyPayload", 0x636a4391),
    ("CloseProxySigned", 0x636a4391),
    ("CompleteClosePayload", 0xe511abc7),
    ("CompleteCloseSigned", 0xe511abc7),
    ("AddWorkerHashFromOwner", 0xe34b1c60),
    ("DeleteWorkerHashFromOwner", 0x8d94a79a),
    ("AddProxyHashFromOwner", 0x71860e80),
    ("DeleteProxyHashFromOwner", 0x3c41d0b2),
    ("AddModelHashFromOwner", 0xc146134d),
    ("DeleteModelHashFromOwner", 0x92b11c18),
    ("RegisterProxyFromOwner", 0x927c7cb5),
    ("UnregisterProxyFromOwner", 0x6d49eaf2),
    ("UpdateProxyFromOwner", 0x9c7924ba),
    ("ChangePricesFromOwner", 0xc52ed8d4),
    ("ChangeParamsFromOwner", 0x022fa189),
    ("ChangeAllParamsFromOwner", 0x9f1e69dc),
    ("ChangeCodesFromOwner", 0xa2370f61),
    ("UpgradeCodeFromOwner", 0x11aefd51),
    ("UpgradeFullFromOwner", 0x4f7c5789),
    ("ResetFromOwner", 0x563c1d96),
    ("ChangeOwnerFromOwner", 0xc4a1ae54),
    ("SendMessageFromOwner", 0x9c69f376),
    ("WorkerPayoutPayload", 0x08e7d036),
    ("WorkerStep", 0x4d725d2c),
    ("PayoutPayload", 0xa040ad28),
    ("PayoutSigned", 0xa040ad28),
    ("LastPayoutPayload", 0xf5f26a36),
    ("LastPayoutSigned", 0xf5f26a36),
    ("RegisterWorkerFromOwner", 0x26ed7f65),
];

/// Tags of what is signed about an answer (receipt.tlb): signed off chain since before contracts could read it.
const RECEIPTS: [u64; 3] = [0xc0c0_57a1, 0xc0c0_2ece, 0xc0c0_51ed];

fn abis() -> Vec<ContractAbi> {
    cocoon_bindings_gen::abis(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap()
}

/// Opcodes of 32 bits by the names of their structs.
fn opcodes() -> BTreeMap<String, u64> {
    let mut opcodes = BTreeMap::new();
    for declaration in abis().into_iter().flat_map(|abi| abi.declarations) {
        if let Declaration::Struct(declaration) = declaration
            && let Some(prefix) = declaration.prefix
            && prefix.prefix_len == 32
        {
            opcodes.insert(declaration.name, prefix.prefix_num);
        }
    }
    opcodes
}

/// CRC-32 of zlib.
fn crc32(text: &str) -> u64 {
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 0 {
                crc >> 1
            } else {
                (crc >> 1) ^ 0xedb8_8320
            };
        }
    }
    u64::from(!crc)
}

#[test]
fn deployed_opcodes_are_those_of_the_deployed_contracts() {
    let opcodes = opcodes();
    for (name, opcode) in DEPLOYED {
        assert_eq!(opcodes.get(name), Some(&opcode), "{name}");
    }
}

#[test]
fn our_own_opcodes_are_checksums_of_their_names() {
    assert_eq!(crc32("123456789"), 0xcbf4_3926);
    for (name, opcode) in opcodes() {
        let deployed = DEPLOYED.iter().any(|(known, _)| *known == name);
        let receipt = RECEIPTS.contains(&opcode);
        // The same message with something after its end keeps its opcode.
        let scored = name.strip_prefix("Scored");
        let scored = scored.is_some_and(|plain| DEPLOYED.contains(&(plain, opcode)));
        assert!(
            deployed || receipt || scored || opcode == crc32(&name),
            "{name} has {opcode:#010x} instead of {:#010x}",
            crc32(&name)
        );
    }
}

#[test]
fn no_two_messages_of_a_contract_begin_alike() {
    for abi in abis() {
        let mut seen = BTreeSet::new();
        for message in &abi.incoming_messages {
            let found = abi
                .declarations
                .iter()
                .find(|known| Some(known.name()) == message.body_ty.declared());
            let Some(Declaration::Struct(declaration)) = found else {
                panic!("{}: {:?} is no struct", abi.contract_name, message.body_ty);
            };
            let prefix = declaration.prefix.map(|prefix| (prefix.prefix_num, prefix.prefix_len));
            assert!(
                seen.insert(prefix) && prefix.is_some_and(|(_, bits)| bits == 32),
                "{}: {}",
                abi.contract_name,
                declaration.name
            );
        }
    }
}
