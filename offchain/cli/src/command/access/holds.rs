//! `cocoon client key holds|settle`: what is held of keys' limits, by the word of the running client.

use cocoon_bindings::Nanoton;
use serde_json::Value;

use crate::args::Global;
use crate::args::access::SettleHoldArgs;
use crate::args::operate::{AdminPlace, Role};
use crate::command::operate::{answer, socket};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Shows all.
pub(super) async fn list(global: &Global, place: &AdminPlace, output: Output) -> Result<Exit, Failure> {
    let socket = socket(global, Role::Client, place)?;
    let value = answer(&socket, false, "/access/holds", &[]).await?;
    output.result(&value, table)?;
    Ok(Exit::Done)
}

/// Ends one.
pub(super) async fn settle(global: &Global, args: SettleHoldArgs, output: Output) -> Result<Exit, Failure> {
    let socket = socket(global, Role::Client, &args.place)?;
    let how = match args.charge.filter(|_| !args.release) {
        Some(amount) => ("charge", amount.get().to_string()),
        None => ("release", true.to_string()),
    };
    let path = format!("/access/holds/{}", args.hold);
    let value = answer(&socket, true, &path, &[how]).await?;
    output.result(&value, |value| {
        let (key, charged) = (text(value, "key"), money(value, "charged"));
        format!("settled: {charged} of {} are charged to {key}", money(value, "held"))
    })?;
    Ok(Exit::Done)
}

fn table(value: &Value) -> String {
    let holds = value.get("holds").and_then(Value::as_array);
    let block = |hold: &Value| {
        let since = hold.get("since").and_then(Value::as_u64);
        let since = since.map_or_else(
            || "not known".to_owned(),
            |time| cocoon_owner::date(u32::try_from(time).unwrap_or(u32::MAX)),
        );
        let rows = [
            ("hold", text(hold, "hold")),
            ("key", text(hold, "key")),
            ("since", since),
            ("held", money(hold, "amount")),
            ("proxy", text(hold, "proxy")),
            ("why", text(hold, "why")),
        ];
        let line = |(name, value): &(&str, String)| format!("{name:5}  {value}");
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    match holds {
        Some(holds) if !holds.is_empty() => holds.iter().map(block).collect::<Vec<_>>().join("\n\n"),
        _ => "nothing is held".to_owned(),
    }
}

fn text(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or("not known")
        .to_owned()
}

fn money(value: &Value, name: &str) -> String {
    let amount = value.get(name).cloned().unwrap_or_default();
    serde_json::from_value::<Nanoton>(amount).map_or_else(|_| "not known".to_owned(), |amount| amount.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_held_is_shown_with_its_reason_and_what_is_not_known_is_said() {
        let holds = json!({ "holds": [
            { "hold": "ab", "key": "a", "since": 86_400, "amount": "1500000000", "proxy": "0:01", "why": "no receipt came" },
            { "hold": "cd", "key": "b", "since": null, "amount": "1", "proxy": null, "why": "it runs" },
        ] });
        let shown = table(&holds);
        assert!(
            shown.contains("held   1.5 TON\nproxy  0:01\nwhy    no receipt came\n\nhold   cd"),
            "{shown}"
        );
        assert!(shown.contains("since  not known"), "{shown}");
        assert_eq!(table(&json!({ "holds": [] })), "nothing is held");
    }
}
