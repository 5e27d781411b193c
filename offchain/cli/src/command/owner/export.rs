//! An operation's next message for somebody else to sign: as text, as a link and its QR code, for TON Connect.

use cocoon_bindings::ExportedMessage;
use cocoon_chain::{ChainClient, MAINNET};
use cocoon_owner::{Manner, Next, Operation, Origin, Preview, Step, look_ahead};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde::Serialize;

use super::{About, With, look, owner_error};
use crate::args::owner::OwnerArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// How long an exported message is good for TON Connect, in seconds: a wallet shows it at once.
const LIFETIME: u32 = 300;
/// Which network the message is for, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct TonConnectId {
    chain_id: Option<i32>,
    is_testnet: bool,
}

impl TonConnectId {
    /// By the chain's own id; a chain without one is a test network if its entry says so.
    pub(super) fn new(chain_id: Option<i32>, is_testnet: bool) -> Self {
        Self {
            chain_id,
            is_testnet: chain_id.map_or(is_testnet, |id| id != MAINNET),
        }
    }
}

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
    /// Left out when it is not known: the wallet takes its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
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
    steps: &[Step],
    (args, id, about): (&OwnerArgs, TonConnectId, Option<&About<'_>>),
    output: Output,
) -> Result<Exit, Failure> {
    let from = match origin {
        Origin::Wallet(wallet) => wallet.address().map_err(anyhow::Error::from)?,
        Origin::Address(address) => address.clone(),
    };
    let (next, preview) = look_ahead(operation, chain, origin, manner, steps)
        .await
        .map_err(owner_error)?;
    let (Next::Send(order), Some(preview)) = (&next, preview) else {
        return look::nothing_to_send(next, chain, about, output).await;
    };
    let message = ExportedMessage::new(&order.message, id.is_testnet).map_err(anyhow::Error::from)?;
    let now = chain.now().await.map_err(crate::failure::from_chain)?;
    let exported = Exported {
        step: order.step,
        says: order.says.clone(),
        ton_connect: TonConnect {
            valid_until: now.saturating_add(LIFETIME),
            network: id.chain_id.map(|id| id.to_string()),
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
    let told = With {
        told: &exported,
        change: about.map(|about| about.before(output)),
    };
    output.result(&told, |with| text(with.told))?;
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
    fn only_the_main_network_is_taken_for_it() {
        let id = TonConnectId::new;
        assert!(!id(Some(MAINNET), false).is_testnet && id(Some(-3), false).is_testnet);
        assert!(id(Some(77), false).is_testnet, "a private chain is no main network");
        assert!(id(None, true).is_testnet && id(None, true).chain_id.is_none());
    }

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
