//! Compares one transaction of the chain with what the model says.

use cocoon_bindings::StateInit;
use cocoon_bindings::ton::{Address, Cell};
use cocoon_emulator::{Compute, Message, SkipReason, TransactionReport};

use crate::model::body::{Body, RootAsk};
use crate::model::effect::{Act, Env, Exit, Return};
use crate::model::wallet::IGNORE_ERRORS;
use crate::model::{CLOSED, Contract, Governor};
use crate::sequence::net::{Account, Flight, Net};
use crate::sequence::run::Checked;

/// Below this value a message may run out of gas; with more no message of ours does, at the dearer price.
const ENOUGH_GAS: u128 = 20_000_000;
/// Below this value the code may not run at all.
const ANY_GAS: u128 = 100_000;
/// Above this no message's forwarding fee lies.
const MOST_FORWARDING: u128 = 20_000_000;
/// The machine's code for gas that ran out.
pub(crate) const OUT_OF_GAS: i32 = -14;

/// How a message fared.
pub(crate) struct Fared {
    /// The contract afterwards, if the message had an effect.
    pub(crate) contract: Option<Contract>,
    /// What is on its way because of it.
    pub(crate) sent: Vec<Flight>,
}

fn worth(messages: &[Message]) -> u128 {
    messages
        .iter()
        .map(|message| message.value.get() + message.forward_fee.get())
        .sum()
}

/// Coins in = coins held + coins out + fees.
pub(crate) fn conserved(flight: &Flight, held: &Account, after: &Account, report: &TransactionReport) -> Checked {
    let brought = held.balance + flight.value;
    let found = after.balance + worth(&report.out_msgs) + report.fees.total.get();
    if brought == found {
        Ok(())
    } else {
        Err(format!("{brought} came in and {found} is held, sent or taken"))
    }
}

/// The account holds what the model says.
pub(crate) fn stored(net: &Net, address: &Address, after: &Account) -> Checked {
    let data = net.contracts[address].data();
    let code = &net.codes[address];
    if after.active {
        if after.code != Some(*code.repr_hash()) {
            return Err("the code is another one".to_owned());
        }
        if after.data != Some(*data.repr_hash()) {
            return Err(format!("the data is not that of {:?}", net.contracts[address]));
        }
        return Ok(());
    }
    let init = StateInit {
        code: code.clone(),
        data,
    };
    let hash = init.hash().ok();
    // What freezes in the state that its address is made of becomes uninitialised: the chain keeps no hash of it.
    if after.frozen == hash || (after.frozen.is_none() && hash == Some(address.address)) {
        Ok(())
    } else {
        Err("a frozen contract has lost its state".to_owned())
    }
}

/// A message that came back, if it did, and nothing else.
pub(crate) fn returned(flight: &Flight, report: &TransactionReport) -> Checked<Vec<Flight>> {
    if !report.bounced {
        return if report.out_msgs.is_empty() {
            Ok(Vec::new())
        } else {
            Err("it sends, and must not".to_owned())
        };
    }
    let [message] = &report.out_msgs[..] else {
        return Err("more than a return".to_owned());
    };
    if message.destination.as_ref() != Some(&flight.from) || !message.bounced || message.value.get() > flight.value {
        return Err("the return goes elsewhere or brings too much".to_owned());
    }
    let rich = matches!(flight.back, Return::Rich | Return::RichRoot);
    if !carries(&message.body, &flight.cell, flight.back) {
        return Err("the return does not bring what the sender needs".to_owned());
    }
    let body = Body::Bounced {
        original: Box::new(flight.body.clone()),
        rich,
    };
    Ok(vec![Flight {
        from: flight.to.clone(),
        to: flight.from.clone(),
        value: message.value.get(),
        back: Return::Never,
        bounced: true,
        body,
        cell: message.body.clone(),
    }])
}

/// Whether a returned body holds of the original what it should.
fn carries(returned: &Cell, original: &Cell, back: Return) -> bool {
    let Some(first) = returned.as_ref().reference_cloned(0) else {
        return back == Return::Plain;
    };
    match back {
        Return::Rich => first.repr_hash() == original.repr_hash(),
        Return::RichRoot => first.data() == original.data() && first.reference_count() == 0,
        Return::Plain | Return::Never => false,
    }
}

/// Compares an internal message's effect.
pub(crate) fn effect(
    before: &Contract,
    flight: &Flight,
    held: &Account,
    after: &Account,
    report: &TransactionReport,
    now: u32,
) -> Checked<Fared> {
    let original = (held.balance + flight.value)
        .checked_sub(report.fees.storage.get())
        .ok_or("storage costs more than there is")?;
    let value = if flight.back == Return::Never {
        flight.value.min(original)
    } else {
        flight.value
    };
    let env = Env {
        me: flight.to.clone(),
        from: flight.from.clone(),
        now,
        value,
        original,
        due: after.due,
    };
    let without_effect = |must_return: bool| {
        unchanged(flight, &env, after, report, must_return)?;
        Ok(Fared {
            contract: None,
            sent: returned(flight, report)?,
        })
    };
    // A return to these undoes a step, and must never be lost.
    let vital = flight.bounced
        && matches!(
            before,
            Contract::Client(_) | Contract::Worker(_) | Contract::Governor(_)
        );
    let exit = match report.compute {
        Compute::Skipped(SkipReason::NoGas) if value < ANY_GAS || original < ANY_GAS => {
            return if vital {
                Err("a return does not run".to_owned())
            } else {
                without_effect(true)
            };
        }
        Compute::Skipped(_) if !held.active || !after.active => return without_effect(true),
        Compute::Skipped(reason) => return Err(format!("the code does not run: {reason:?}")),
        Compute::Ran { exit_code, .. } => exit_code,
    };
    if exit == OUT_OF_GAS && value < ENOUGH_GAS && !vital {
        return without_effect(true);
    }
    let mut contract = before.clone();
    match contract.receive(&flight.body, &env) {
        Err(Exit::Failed) if !matches!(exit, 0 | 1 | OUT_OF_GAS) => without_effect(true),
        Err(Exit::Refused(code)) if exit == code => without_effect(true),
        Ok(acts) if exit == 0 => {
            if report.success() {
                let sent = sent(flight, &acts, report)?;
                settled(&acts, &env, after, report)?;
                return Ok(Fared {
                    contract: Some(contract),
                    sent,
                });
            }
            if vital {
                return Err("a return fails".to_owned());
            }
            short_of(&acts, &env, report)?;
            // What a wallet is told to send fails without a return.
            without_effect(!acts.iter().any(|act| matches!(act, Act::Raw { .. })))
        }
        Err(expected) => Err(format!("the code exits with {exit}, expected {expected:?}")),
        Ok(acts) => Err(format!("the code exits with {exit}, expected {acts:?}")),
    }
}

/// A message without effect costs its sender what it costs, and the contract nothing.
fn unchanged(flight: &Flight, env: &Env, after: &Account, report: &TransactionReport, must_return: bool) -> Checked {
    let gas = match report.compute {
        Compute::Ran { .. } => report.fees.gas.get(),
        Compute::Skipped(_) => 0,
    };
    let own = env.original.saturating_sub(env.value);
    if report.bounced && after.balance != own {
        return Err(format!("a refused message leaves {} where {own} was", after.balance));
    }
    let affordable = env.value.saturating_sub(gas) >= MOST_FORWARDING;
    if must_return && !report.bounced && flight.back != Return::Never && affordable {
        return Err("a refused message does not come back".to_owned());
    }
    // The chain fines what fails after the code has run; a wallet pays that for what its owner tells it to send.
    let fine = if must_return { 0 } else { MOST_FORWARDING };
    if after.balance + fine < own {
        Err("a refused message costs the contract coins".to_owned())
    } else {
        Ok(())
    }
}

/// Compares what was sent, and gives it.
pub(crate) fn sent(flight: &Flight, acts: &[Act], report: &TransactionReport) -> Checked<Vec<Flight>> {
    let mut found = report.out_msgs.iter();
    let mut sent = Vec::new();
    for act in acts {
        let (to, value, back, body, optional) = match act {
            Act::Keep(_) => continue,
            Act::Exactly { to, value, body } => (to, Some(*value), Return::Never, body, false),
            Act::ExactlyOrKeep { to, value, body } => (to, Some(*value), Return::Never, body, to.workchain != 0),
            Act::Rest { to, back, body } => (to, None, *back, body, false),
            Act::RestOrKeep { to, body } => (to, None, Return::Never, body, to.workchain != 0),
            Act::Raw {
                mode,
                to,
                value,
                bounce,
                body,
            } => {
                let back = if *bounce { Return::Plain } else { Return::Never };
                let exactly = (*mode & 0xc1 == 1).then_some(*value);
                (to, exactly, back, body, mode & IGNORE_ERRORS != 0)
            }
        };
        let cell = body.cell();
        let matches = |message: &Message| {
            message.destination.as_ref() == Some(to)
                && message.bounce == (back != Return::Never)
                && message.body.repr_hash() == cell.repr_hash()
                && value.is_none_or(|value| value == message.value.get())
        };
        let Some(message) = found.clone().next().filter(|message| matches(message)) else {
            if optional {
                continue;
            }
            return Err(format!("it should send {act:?} next and sends {:?}", found.next()));
        };
        found.next();
        sent.push(Flight {
            from: flight.to.clone(),
            to: to.clone(),
            value: message.value.get(),
            back,
            bounced: false,
            body: body.clone(),
            cell,
        });
    }
    found
        .next()
        .map_or(Ok(sent), |message| Err(format!("it also sends {message:?}")))
}

/// What is left on the contract is what it set apart.
fn settled(acts: &[Act], env: &Env, after: &Account, report: &TransactionReport) -> Checked {
    let kept: u128 = acts
        .iter()
        .map(|act| if let Act::Keep(amount) = act { *amount } else { 0 })
        .sum();
    let expected = match acts.last() {
        Some(Act::Rest { .. }) => kept,
        Some(Act::RestOrKeep { to, .. }) if to.workchain == 0 => kept,
        Some(Act::Raw { .. } | Act::RestOrKeep { .. }) => return Ok(()),
        _ => env.original - report.fees.gas.get() - report.fees.forward.get() - worth_of(acts),
    };
    if after.balance == expected {
        Ok(())
    } else {
        Err(format!(
            "the contract holds {} afterwards, expected {expected}",
            after.balance
        ))
    }
}

fn worth_of(acts: &[Act]) -> u128 {
    acts.iter()
        .map(|act| {
            if let Act::Exactly { value, .. } = act {
                *value
            } else {
                0
            }
        })
        .sum()
}

/// Actions fail only for want of coins, or of a place to send them to.
fn short_of(acts: &[Act], env: &Env, report: &TransactionReport) -> Checked {
    let nowhere = |act: &Act| matches!(act, Act::Exactly { to, .. } | Act::Rest { to, .. } if to.workchain != 0);
    if acts.iter().any(nowhere) {
        return Ok(());
    }
    let wanted: u128 = acts
        .iter()
        .map(|act| match act {
            Act::Keep(amount) => *amount,
            Act::Exactly { value, .. } | Act::ExactlyOrKeep { value, .. } => value + MOST_FORWARDING,
            Act::Rest { .. } | Act::RestOrKeep { .. } => MOST_FORWARDING,
            Act::Raw { value, .. } => value + MOST_FORWARDING,
        })
        .sum();
    if env.original - report.fees.gas.get() < wanted || acts.iter().any(|act| matches!(act, Act::Raw { .. })) {
        Ok(())
    } else {
        Err(format!(
            "the actions fail with {:?} though there is enough for {acts:?}",
            report.action_code()
        ))
    }
}

/// Counts only grow, except where a return takes a step back.
pub(crate) fn monotonic(before: &Contract, after: &Contract, flight: &Flight) -> Checked {
    if matches!(
        &flight.body,
        Body::Root {
            ask: RootAsk::UpgradeFull { .. },
            ..
        }
    ) {
        return Ok(());
    }
    let grows = match (before, after) {
        (Contract::Client(before), Contract::Client(after)) => {
            after.tokens >= before.tokens && after.stake >= before.stake && after.floor >= before.floor
        }
        (Contract::Worker(before), Contract::Worker(after)) => {
            (after.tokens >= before.tokens || flight.bounced)
                && (before.state != CLOSED || after.state == CLOSED || flight.bounced)
        }
        (Contract::Proxy(before), Contract::Proxy(after)) => after.state >= before.state,
        (Contract::Root(before), Contract::Root(after)) => {
            after.version >= before.version
                && after.terms.version >= before.terms.version
                && after.last_proxy >= before.last_proxy
        }
        (Contract::Wallet(before), Contract::Wallet(after)) => after.seqno == before.seqno,
        (Contract::Governor(before), Contract::Governor(after)) => {
            let made = |governor: &Governor, index: &u8| governor.proposers.get(index).map_or(0, |(made, _)| *made);
            let grown = |index: &u8| made(after, index) >= made(before, index);
            after.epoch >= before.epoch && before.proposers.keys().all(grown)
        }
        _ => false,
    };
    if grows {
        Ok(())
    } else {
        Err(format!("a count went down: {before:?} became {after:?}"))
    }
}
