//! What the bot says of itself.

use serde_json::Value;

use crate::budget::Used;

/// To whoever begins.
pub(crate) const WELCOME: &str = "I answer with a model that runs in attested machines of the Cocoon network.\n\n\
    Write to me, or use /translate, /summarise, /model, /new, /budget, /receipt. /help says what each does.\n\n\
    Mind: Telegram and the operator of this bot can read what is written here. Only between this bot's client and the \
    model nobody can.";

pub(crate) const HELP: &str = "Write to me and I answer; I remember the last messages of this chat until I am restarted.\n\n\
    /translate LANGUAGE TEXT - translate, also as an answer to a message\n\
    /summarise TEXT - summarise, also as an answer to a message\n\
    /model - which models there are; /model NAME chooses one for this chat\n\
    /new - forget what was said in this chat\n\
    /budget - what you have spent today, and what is left\n\
    /receipt - the receipt of the last answer: what was charged, and whether the signatures hold\n\n\
    In groups I hear only what names me or answers me.";

pub(crate) const NOT_ALLOWED: &str = "This bot answers only people whom its operator has listed.";
pub(crate) const UNKNOWN: &str = "I do not know this command. /help lists those that I know.";
pub(crate) const FORGOTTEN: &str = "Forgotten. We begin anew.";
pub(crate) const ONE_AT_A_TIME: &str = "One at a time: I am still answering in this chat.";
pub(crate) const BUSY: &str = "I am answering as many people as I can. Try again in a moment.";
pub(crate) const AWAY: &str = "The client of the network does not tell its terms or its models. Try again later.";
pub(crate) const TOTAL_USED: &str = "Everybody's budget of today is used up. It begins anew at midnight, UTC.";
pub(crate) const NO_RECEIPT: &str = "There was no answer in this chat yet.";
pub(crate) const RECEIPT_AWAY: &str = "The receipt is not there. It may still come: try again in a moment.";
pub(crate) const EMPTY: &str = "(The model said nothing.)";
pub(crate) const CUT: &str = "\n\n(The answer ended at the most tokens that this bot asks for.)";
pub(crate) const TOO_LONG: &str = "\n\n(The rest is too long for this chat.)";
pub(crate) const STOPPED: &str = "\n\n(This bot is being restarted. Ask again in a moment.)";

/// An amount of nanoton in TON, without zeros at its end.
pub(crate) fn ton(nanoton: u64) -> String {
    let text = format!("{}.{:09}", nanoton / 1_000_000_000, nanoton % 1_000_000_000);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} TON")
}

pub(crate) fn budget(used: Used, limit: u64) -> String {
    let left = limit.saturating_sub(used.spent).saturating_sub(used.reserved);
    let mut text = format!(
        "Spent today: {} of {}. Left: {}.",
        ton(used.spent),
        ton(limit),
        ton(left)
    );
    if used.reserved > 0 {
        text += &format!(" Kept for what I am answering: {}.", ton(used.reserved));
    }
    text + " A day begins at midnight, UTC."
}

pub(crate) fn over_budget(needs: u64, left: u64) -> String {
    format!(
        "That may cost up to {}, and {} of your budget is left today. A shorter message costs less, and so does /new, which \
         makes me forget this chat. A day begins at midnight, UTC.",
        ton(needs),
        ton(left)
    )
}

pub(crate) fn too_many(seconds: u64) -> String {
    format!("Not so fast: I listen again in {seconds} s.")
}

/// The models, the chosen one marked.
pub(crate) fn models(names: &[String], chosen: Option<&str>, limit: usize) -> String {
    if names.is_empty() {
        return "No model is served now.".into();
    }
    let chosen = chosen.or(names.first().map(String::as_str));
    let mut text = String::from("Models:\n");
    for name in names.iter().take(limit) {
        let mark = if Some(name.as_str()) == chosen {
            " (this chat's)"
        } else {
            ""
        };
        text += &format!("{name}{mark}\n");
    }
    text + "/model NAME chooses one for this chat."
}

/// A receipt in words. Addresses are left out: they are on the client's page.
pub(crate) fn receipt(page: &Value, price: Option<u64>) -> String {
    let id = page["id"].as_str().unwrap_or("?");
    let verdict = match (page["verified"].as_bool(), page["signed_by_worker"].as_bool()) {
        (Some(true), Some(true)) => {
            "verified: the signatures of the proxy and the worker hold, and it is of this answer"
        }
        (Some(true), _) => "verified: the proxy's signature holds, and it is of this answer; the worker has not signed",
        (Some(false), _) => "NOT verified: this receipt contradicts the answer",
        (None, _) => "not known",
    };
    let charged = page["tokens_charged"].as_u64();
    let cost = charged.zip(price).and_then(|(tokens, price)| tokens.checked_mul(price));
    let mut text = format!("Receipt {id}\nVerdict: {verdict}");
    if let Some(tokens) = charged {
        text += &format!("\nCharged: {tokens} tokens");
    }
    if let Some(cost) = cost {
        text += &format!(", {} at today's price", ton(cost));
    }
    if let Some(model) = page["model_hash"].as_str() {
        text += &format!("\nModel hash: {model}");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_shown_in_ton_to_the_last_digit() {
        let shown = [0, 1, 1_500_000_000, 100_000_000].map(ton);
        assert_eq!(shown, ["0 TON", "0.000000001 TON", "1.5 TON", "0.1 TON"]);
    }

    #[test]
    fn a_receipt_is_told_with_its_verdict_and_without_addresses() {
        let page = json!({
            "id": "ab", "verified": true, "signed_by_worker": true, "tokens_charged": 100, "proxy": "EQproxy", "worker": "EQworker",
        });
        let text = receipt(&page, Some(20));
        assert!(text.starts_with("Receipt ab\nVerdict: verified"), "{text}");
        assert!(
            text.contains("100 tokens, 0.000002 TON") && !text.contains("EQ"),
            "{text}"
        );
        assert!(receipt(&json!({ "verified": false }), None).contains("NOT verified"));
    }
}
