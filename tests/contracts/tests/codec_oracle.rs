//! The Rust codecs against the compiler: a contract that unpacks and repacks every declared struct runs in the
//! emulator, and what it makes of a cell must be what the bindings make of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here is a test"
)]

#[path = "codec_oracle/facade.rs"]
mod facade;
#[path = "codec_oracle/fields.rs"]
mod fields;
#[path = "codec_oracle/generated/mod.rs"]
mod generated;
#[path = "codec_oracle/support.rs"]
mod support;

use cocoon_bindings::ton::{Cell, CellBuilder};
use proptest::prelude::*;

/// Opcodes to begin a cell with, so that decoders get past the first check.
fn any_opcode() -> impl Strategy<Value = Option<u32>> {
    let known: Vec<u32> = ["Root", "Proxy", "Client", "Worker", "Wallet", "Governor"]
        .into_iter()
        .flat_map(support::opcodes)
        .collect();
    proptest::option::weighted(0.8, proptest::sample::select(known))
}

fn any_cell(depth: u32) -> BoxedStrategy<Cell> {
    let bits = (any_opcode(), proptest::collection::vec(any::<u8>(), 0..127), 0u16..8);
    let children = if depth == 0 {
        Just(Vec::new()).boxed()
    } else {
        proptest::collection::vec(any_cell(depth - 1), 0..=4).boxed()
    };
    (bits, children)
        .prop_map(|((opcode, mut data, spare), children)| {
            if let Some(opcode) = opcode {
                data.splice(0..0, opcode.to_be_bytes());
                data.truncate(127);
            }
            let length = u16::try_from(data.len() * 8).unwrap().saturating_sub(spare);
            let mut builder = CellBuilder::from_raw_data(&data, length).unwrap();
            for child in children {
                builder.store_reference(child).unwrap();
            }
            builder.build().unwrap()
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_cell_makes_a_decoder_panic(cell in any_cell(2)) {
        generated::decode(&cell);
    }
}

#[test]
fn what_is_generated_is_what_is_checked_in() {
    let repository = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (path, text) in cocoon_bindings_gen::generate(&repository).unwrap() {
        let checked_in = std::fs::read_to_string(repository.join(&path)).unwrap_or_default();
        assert!(
            checked_in == text,
            "{path} differs: run `cargo run --release -p cocoon-bindings-gen`"
        );
    }
}
