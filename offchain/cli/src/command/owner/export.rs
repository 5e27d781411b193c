//! An operation's next message for somebody else to sign: as text, as a link and its QR code, for TON Connect.

use cocoon_bindings::ExportedMessage;
use cocoon_chain::ChainClient;
use cocoon_owner::{Manner, Next, Operation, Origin, Preview, look_ahead};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde::Serialize;

use super::{look, owner_error};
use crate::args::owner::OwnerArgs;
use crate::command::network::{Network, TESTNET};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// How long an exported message is good for TON Connect, in seconds: a wallet shows it at once.
const LIFETIME: u32 = 300;
/// How TON Connect writes the two networks.
const MAINNET_ID: &str = "-239";
const TESTNET_ID: &str = "-3";

#[derive(Serialize)]
struct Exported {
    step: &'static str,
    says: String,
    message: ExportedMessage,
    ton_connect: TonConnect,
    preview: Preview,
}

/// A request of TON Connect's `sendTransaction`.
#[derive(Serialize)]
struct TonConnect {
    valid_until: u32,
    network: &'static str,
    from: String,
    messages: [TonConnectMessage; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TonConnectMessage {
    address: String,
    amount: String,
    payload: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_init: Option<String>,
}

/// Prints the next message. Nothing is signed or sent.
pub(super) async fn print(
    operation: &dyn Operation,
    chain: &dyn ChainClient,
    origin: Origin<'_>,
    manner: &Manner,
    (args, network): (&OwnerArgs, &Network),
    output: Output,
) -> Result<Exit, Failure> {
    let from = match origin {
        Origin::Wallet(wallet) => wallet.address().map_err(anyhow::Error::from)?,
        Origin::Address(address) => address.clone(),
    };
    let (next, preview) = look_ahead(operation, chain, origin, manner, &[])
        .await
        .map_err(owner_error)?;
    let (Next::Send(order), Some(preview)) = (&next, preview) else {
        return look::nothing_to_send(next, output);
    };
    let testnet = network.name == TESTNET;
    let message = ExportedMessage::new(&order.message, testnet).map_err(anyhow::Error::from)?;
    let now = chain.now().await.map_err(crate::failure::from_chain)?;
    let exported = Exported {
        step: order.step,
        says: order.says.clone(),
        ton_connect: TonConnect {
            valid_until: now.saturating_add(LIFETIME),
            network: if testnet { TESTNET_ID } else { MAINNET_ID },
            from: from.to_string(),
            messages: [TonConnectMessage {
                address: message.to.clone(),
                amount: message.value.get().to_string(),
                payload: message.body.clone(),
                state_init: message.state_init.clone(),
            }],
        },
        message,
        preview,
    };
    output.result(&exported, |exported| text(exported))?;
    if args.qr {
        output.note(square(&exported.message.link));
    }
    Ok(Exit::Done)
}

fn text(exported: &Exported) -> String {
    let message = &exported.message;
    let mut lines = vec![
        format!("to {}:", exported.says),
        format!("to          {}", message.to),
        format!("value       {}", message.value),
        format!("body hash   {}", message.body_hash),
        format!("body        {}", message.body),
    ];
    if let Some(init) = &message.state_init {
        lines.push(format!("state init  {init}"));
    }
    lines.push(format!("link        {}", message.link));
    lines.push(look::preview_text(&exported.preview));
    lines.join("\n")
}

/// The link as a square of characters.
fn square(link: &str) -> String {
    match QrCode::new(link) {
        Ok(code) => code.render::<Dense1x2>().build(),
        Err(_) => "The link is too long for a QR code: a message that deploys a contract carries its code.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_becomes_a_square_and_a_long_one_says_why_not() {
        let drawn = square("ton://transfer/EQabc?amount=1&bin=te6cc");
        let lines: Vec<&str> = drawn.lines().collect();
        assert!(
            lines.len() > 10
                && lines
                    .iter()
                    .all(|line| line.chars().count() == lines[0].chars().count())
        );
        assert!(square(&"x".repeat(4000)).contains("too long"));
    }
}
