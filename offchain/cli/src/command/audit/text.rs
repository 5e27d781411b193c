//! A report in words.

use std::fmt::Write as _;

use cocoon_audit::{Report, Role, counted};

/// The whole of it, the verdict first.
pub(super) fn of(report: &Report) -> String {
    let mut text = format!("{}\n", report.sentence());
    let totals = &report.totals;
    // Writing to a String cannot fail.
    let mut line = |line: String| {
        let _ = writeln!(text, "{line}");
    };
    if report.test_network {
        line("SIMULATED: a test network, whose evidence proves nothing about hardware.".into());
    }
    line(format!("proxy contract  {}", report.proxy));
    for other in report.proxies.iter().skip(1) {
        line(format!(
            "and             {}, of version {} of the terms",
            other.contract, other.params_version
        ));
    }
    line(format!(
        "price           {} per token, {} of it to the worker",
        report.price_per_token, report.worker_fee_per_token
    ));
    line(format!(
        "receipts        {}, {} signed by the worker, {}",
        totals.receipts,
        totals.signed_by_worker,
        counted(totals.certificates, "certificate")
    ));
    if let Some(why) = &report.reputations.left_out {
        line(format!("no reputations  {why}"));
    }
    if totals.without_counts > 0 {
        line(format!(
            "not checked     the prices of {} without counts",
            counted(totals.without_counts, "receipt")
        ));
    }
    if totals.capped > 0 {
        line(format!(
            "capped          {} charged less than was used: no more was reserved",
            counted(totals.capped, "receipt")
        ));
    }
    if let Some(challenges) = &report.challenges {
        line(format!(
            "compared        two workers each: {} equal, {} different, {} not comparable, by the proxy's word",
            challenges.equal, challenges.different, challenges.not_comparable
        ));
        if challenges.left_out > 0 {
            let records = counted(challenges.left_out, "record");
            line(format!(
                "left out        {records} of challenges that compare nothing in this log"
            ));
        }
        for (worker, count) in &challenges.differing_workers {
            line(format!("different       {worker}: {}", counted(*count, "time")));
        }
    }
    for channel in &report.channels {
        let (verb, way) = match channel.role {
            Role::Client => ("charged", "for"),
            Role::Worker | Role::Proxy => ("paid", "as"),
        };
        line(format!(
            "{:<15} {}: {}, {}, {} {verb} {way} {}",
            channel.role.to_string(),
            channel.contract,
            counted(channel.receipts, "receipt"),
            counted(channel.tokens.get(), "token"),
            channel.settled,
            channel.amount
        ));
    }
    for worker in &report.reputations.workers {
        line(format!(
            "reputation      {}: {} of 10000 on {}",
            worker.contract, worker.reputation, report.reputations.day
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use cocoon_audit::{LogReport, Reputations, Totals, Verdict};
    use cocoon_bindings::ton::{Address, HashBytes};
    use cocoon_bindings::units::{Nanoton, ParamsVersion};

    fn with(totals: Totals) -> String {
        let address = Address::new(0, HashBytes([1; 32]));
        of(&Report {
            verdict: Verdict::Equal,
            difference: None,
            proxy: address.clone(),
            root: address,
            test_network: false,
            params_version: ParamsVersion::new(1),
            price_per_token: Nanoton::new(20),
            worker_fee_per_token: Nanoton::new(19),
            proxies: Vec::new(),
            log: LogReport {
                size: 3,
                root: HashBytes::ZERO,
            },
            totals,
            reputations: Reputations {
                day: "2026-11-22".to_owned(),
                workers: Vec::new(),
                left_out: None,
            },
            challenges: None,
            channels: Vec::new(),
        })
    }

    #[test]
    fn what_could_not_be_checked_is_said() {
        let plain = with(Totals::default());
        assert!(!plain.contains("not checked") && !plain.contains("capped"), "{plain}");
        let text = with(Totals {
            without_counts: 2,
            capped: 1,
            ..Totals::default()
        });
        assert!(text.contains("the prices of 2 receipts without counts"), "{text}");
        assert!(text.contains("1 receipt charged less than was used"), "{text}");
    }
}
