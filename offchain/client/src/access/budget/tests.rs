//! Claims about budgets.

use proptest::prelude::*;

use super::*;
use crate::limits::MAX_TOLD_ENDS;

const KEY: &str = "k";

fn channel(tag: u8) -> Address {
    Address::new(0, HashBytes([tag; 32]))
}

fn limits(spend: Option<u128>, per_day: Option<u128>) -> KeyLimits {
    KeyLimits {
        spend: spend.map(Nanoton::new),
        spend_per_day: per_day.map(Nanoton::new),
        ..KeyLimits::default()
    }
}

fn wish(tag: u8, limits: KeyLimits, tokens: u64, day: u64) -> Wish {
    Wish {
        attempt: [tag; 32],
        key: Some((KEY.to_owned(), limits)),
        channel: channel(0),
        proxy: channel(9),
        tokens,
        price: Nanoton::new(2),
        day,
        since: day * 86_400,
    }
}

#[test]
fn only_what_does_not_run_is_settled_by_hand_and_for_no_more_than_was_held() {
    let mut budgets = Budgets::default();
    let asked = wish(1, limits(Some(100), Some(90)), 40, 5);
    budgets.hold(&asked).unwrap();
    let by_hand = |budgets: &mut Budgets, charge| budgets.settle_by_hand(KEY, &asked.attempt, Nanoton::new(charge));
    assert_eq!(by_hand(&mut budgets, 1), Err(ByHand::Running));
    budgets.give_up(&asked, Open::NoReceipts);
    assert_eq!(budgets.key(KEY).unwrap().holds[0].open, Open::NoReceipts);
    assert_eq!(by_hand(&mut budgets, 81), Err(ByHand::TooMuch(Nanoton::new(80))));
    assert_eq!(by_hand(&mut budgets, 30), Ok(Nanoton::new(80)));
    assert_eq!(by_hand(&mut budgets, 30), Err(ByHand::Unknown));
    // What comes after that books nothing.
    budgets.settle_key(KEY, &asked.attempt, 40);
    budgets.settle(&asked, Used::Receipt { tokens: 40, total: 40 }, 0);
    let account = budgets.key(KEY).unwrap();
    assert_eq!(
        (account.spent, account.spent_on_day),
        (Nanoton::new(30), Nanoton::new(30))
    );
    assert!(account.holds.is_empty());
}

#[test]
fn a_hold_of_a_version_before_is_read() {
    let before = serde_json::json!({
        "request": HashBytes([1; 32]), "tokens": 5, "price": "2", "amount": "10", "day": 5,
    });
    let hold: Hold = serde_json::from_value(before).unwrap();
    assert_eq!((hold.since, hold.proxy, hold.open), (None, None, Open::CutOff));
}

#[test]
fn what_a_worker_says_uses_up_no_more_of_a_channel_than_was_held() {
    let mut budgets = Budgets::default();
    let asked = wish(1, limits(None, None), 40, 5);
    budgets.hold(&asked).unwrap();
    budgets.settle(&asked, Used::Told(1 << 60), 0);
    assert_eq!(budgets.channels[&channel(0)].used(), 40);
}

#[test]
fn what_the_proxy_counts_already_is_not_counted_again_by_its_word() {
    let mut budgets = Budgets::default();
    let left = |budgets: &Budgets| budgets.channel(&channel(0)).unwrap().left();
    budgets.see_channel(&channel(0), Some(100), 10, Some(1));
    let asked = wish(1, limits(None, None), 40, 5);
    budgets.hold(&asked).unwrap();
    // The count comes right behind the answer, and before its end was taken.
    budgets.see_channel(&channel(0), Some(100), 30, Some(1));
    budgets.settle(&asked, Used::Told(20), 5);
    // Nobody knows yet whether the count has it; a count of before does not tell.
    assert_eq!(left(&budgets), Some(50));
    budgets.see_channel(&channel(0), Some(100), 30, Some(5));
    budgets.see_channel(&channel(0), Some(100), 30, None);
    assert_eq!(left(&budgets), Some(50));
    budgets.see_channel(&channel(0), Some(100), 30, Some(6));
    assert_eq!(left(&budgets), Some(70));
}

#[test]
fn what_ends_by_a_proxys_word_is_bounded_and_none_of_it_is_lost() {
    let mut budgets = Budgets::default();
    for number in 0..=MAX_TOLD_ENDS as u64 {
        let mut asked = wish(0, limits(None, None), 3, 5);
        asked.attempt[..8].copy_from_slice(&number.to_le_bytes());
        budgets.hold(&asked).unwrap();
        budgets.settle(&asked, Used::Told(3), number);
    }
    let used = |budgets: &Budgets| budgets.channels[&channel(0)].used();
    assert_eq!(used(&budgets), 3 * (MAX_TOLD_ENDS as u64 + 1));
    // The two oldest are one, which ends with the newer of them.
    budgets.see_channel(&channel(0), None, 0, Some(1));
    assert_eq!(used(&budgets), 3 * (MAX_TOLD_ENDS as u64 + 1));
    budgets.see_channel(&channel(0), None, 0, Some(2));
    assert_eq!(used(&budgets), 3 * (MAX_TOLD_ENDS as u64 - 1));
}

#[test]
fn what_is_held_counts_until_the_receipt_says_less() {
    let limits = limits(Some(100), None);
    let mut budgets = Budgets::default();
    let first = wish(1, limits, 40, 5);
    budgets.hold(&first).unwrap();
    let left = Short::Total(Nanoton::new(20), Nanoton::new(22));
    assert_eq!(budgets.hold(&wish(2, limits, 11, 5)), Err(left));
    assert_eq!(budgets.hold(&first), Err(Short::Twice));
    budgets.shrink(&first, 30);
    budgets.hold(&wish(2, limits, 20, 5)).unwrap();
    budgets.settle(&first, Used::Receipt { tokens: 10, total: 10 }, 0);
    let account = budgets.key(KEY).unwrap();
    assert_eq!((account.spent, account.holds.len()), (Nanoton::new(20), 1));
    // A second settlement of the same changes nothing.
    budgets.settle(&first, Used::Told(10), 0);
    assert_eq!(budgets.key(KEY).unwrap().spent, Nanoton::new(20));
}

#[test]
fn a_new_day_begins_with_its_own_limit_and_a_clock_that_goes_back_does_not() {
    let limits = limits(None, Some(20));
    let mut budgets = Budgets::default();
    budgets.hold(&wish(1, limits, 10, 5)).unwrap();
    assert!(matches!(budgets.hold(&wish(2, limits, 1, 5)), Err(Short::Day(..))));
    budgets.hold(&wish(2, limits, 10, 6)).unwrap();
    assert!(matches!(budgets.hold(&wish(3, limits, 1, 5)), Err(Short::Day(..))));
    // What began yesterday was yesterday's money.
    budgets.settle(&wish(1, limits, 10, 5), Used::Told(10), 0);
    let account = budgets.key(KEY).unwrap();
    assert_eq!((account.spent, account.spent_on_day), (Nanoton::new(20), Nanoton::ZERO));
}

#[test]
fn a_channel_refuses_what_it_does_not_cover_and_holds_nothing_of_the_key_then() {
    let free = limits(None, None);
    let mut budgets = Budgets::default();
    budgets.hold(&wish(1, free, 1_000, 0)).unwrap();
    budgets.release(&wish(1, free, 1_000, 0));
    budgets.see_channel(&channel(0), Some(50), 10, None);
    assert_eq!(budgets.hold(&wish(2, free, 41, 0)), Err(Short::Channel(40, 41)));
    assert!(budgets.key(KEY).unwrap().holds.is_empty());
    budgets.hold(&wish(2, free, 40, 0)).unwrap();
    budgets.settle(&wish(2, free, 40, 0), Used::Receipt { tokens: 5, total: 15 }, 0);
    assert_eq!(budgets.channel(&channel(0)).unwrap().left(), Some(35));
    // The proxy counts more than we knew of.
    budgets.see_channel(&channel(0), Some(50), 20, None);
    assert_eq!(budgets.channel(&channel(0)).unwrap().left(), Some(30));
    budgets.see_channel(&channel(0), Some(50), 0, None);
    assert_eq!(budgets.channel(&channel(0)).unwrap().left(), Some(30));
}

#[test]
fn an_absurd_amount_is_refused() {
    let mut asked = wish(1, limits(None, None), u64::MAX, 0);
    asked.price = Nanoton::MAX;
    assert_eq!(Budgets::default().hold(&asked), Err(Short::Absurd));
}

#[test]
fn holds_that_nobody_ends_are_bounded_and_stay_spent() {
    let limits = limits(Some(1_000_000), None);
    let mut budgets = Budgets::default();
    for number in 0..=MAX_OPEN_HOLDS {
        let mut asked = wish(0, limits, 1, 0);
        asked.attempt[..8].copy_from_slice(&number.to_le_bytes());
        budgets.hold(&asked).unwrap();
        budgets.give_up(&asked, Open::NoReceipt);
    }
    let account = budgets.key(KEY).unwrap();
    assert_eq!((account.holds.len(), account.spent), (MAX_OPEN_HOLDS, Nanoton::new(2)));
}

/// What happens to the requests of a test.
#[derive(Debug, Clone)]
enum Event {
    /// An attempt of a key at a channel that may use so many tokens.
    Ask { key: u8, channel: u8, tokens: u64 },
    /// One of the running attempts, by its place, ends having used a share of what was held (of 255), and is settled.
    Settle { which: usize, share: u8, is_receipt: bool },
    /// The proxy said how much was used, and the receipt is still to come.
    Shrink { which: usize, share: u8 },
    /// One was refused by the proxy: it costs nothing.
    Release { which: usize },
    /// One costs a share, and this client never learns how much.
    Lose { which: usize, share: u8 },
    /// The client dies and starts with what was durable; everything that ran is charged at its worst.
    Crash,
    /// Midnight.
    Midnight,
    /// Somebody pays into a channel.
    TopUp { channel: u8, tokens: u64 },
    /// Chain and proxy are looked at.
    Look,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0u8..2, 0u8..2, 0u64..200).prop_map(|(key, channel, tokens)| Event::Ask { key, channel, tokens }),
        4 => (any::<usize>(), any::<u8>(), any::<bool>()).prop_map(|(which, share, is_receipt)| Event::Settle { which, share, is_receipt }),
        2 => (any::<usize>(), any::<u8>()).prop_map(|(which, share)| Event::Shrink { which, share }),
        1 => any::<usize>().prop_map(|which| Event::Release { which }),
        1 => (any::<usize>(), any::<u8>()).prop_map(|(which, share)| Event::Lose { which, share }),
        1 => Just(Event::Crash),
        1 => Just(Event::Midnight),
        1 => (0u8..2, 0u64..300).prop_map(|(channel, tokens)| Event::TopUp { channel, tokens }),
        2 => Just(Event::Look),
    ]
}

/// What is true, whatever the client knows.
#[derive(Default)]
struct Truth {
    /// Tokens that each channel really used, and what really covers it.
    used: [u64; 2],
    cover: [u64; 2],
    /// Money that each key really cost, in all and by day.
    cost: [u64; 2],
    by_day: BTreeMap<(u8, u64), u64>,
}

impl Truth {
    fn charge(&mut self, running: &Running, tokens: u64) -> u64 {
        let place = usize::from(running.channel);
        self.used[place] += tokens;
        let money = tokens * 2;
        self.cost[usize::from(running.key)] += money;
        *self.by_day.entry((running.key, running.wish.day)).or_default() += money;
        self.used[place]
    }
}

struct Running {
    key: u8,
    channel: u8,
    wish: Wish,
    /// The most that it can still cost.
    most: u64,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Requests at once, in any order and with any end, crashes included, never cost more than a key's limit, a day's limit, or
    /// what a channel holds, not even if all that run were charged their most at this moment.
    #[test]
    fn nothing_is_ever_overspent(
        total in 0u64..2_000, per_day in 0u64..1_000, covers in any::<[u8; 2]>(),
        events in prop::collection::vec(event(), 0..120),
    ) {
        let limits = limits(Some(u128::from(total)), Some(u128::from(per_day)));
        let mut truth = Truth { cover: covers.map(u64::from), ..Truth::default() };
        let mut budgets = Budgets::default();
        let look = |budgets: &mut Budgets, truth: &Truth| for tag in 0..2u8 {
            let place = usize::from(tag);
            // It is asked for after all that has ended.
            budgets.see_channel(&channel(tag), Some(truth.cover[place]), truth.used[place], Some(1));
        };
        look(&mut budgets, &truth);
        let (mut running, mut day, mut number) = (Vec::<Running>::new(), 3u64, 0u64);
        for event in events {
            let pick = |which: usize, running: &[Running]| (!running.is_empty()).then(|| which % running.len());
            match event {
                Event::Ask { key, channel: tag, tokens } => {
                    number += 1;
                    let mut attempt = [0; 32];
                    attempt[..8].copy_from_slice(&number.to_le_bytes());
                    let wish = Wish {
                        attempt, key: Some((key.to_string(), limits)), channel: channel(tag), tokens,
                        proxy: channel(9), price: Nanoton::new(2), day, since: day * 86_400,
                    };
                    if budgets.hold(&wish).is_ok() {
                        running.push(Running { key, channel: tag, wish, most: tokens });
                    }
                }
                Event::Settle { which, share, is_receipt } => if let Some(place) = pick(which, &running) {
                    let ended = running.remove(place);
                    let tokens = ended.most * u64::from(share) / 255;
                    let total = truth.charge(&ended, tokens);
                    let used = if is_receipt { Used::Receipt { tokens, total } } else { Used::Told(tokens) };
                    budgets.settle(&ended.wish, used, 0);
                },
                Event::Shrink { which, share } => if let Some(place) = pick(which, &running) {
                    let one = &mut running[place];
                    one.most = one.most * u64::from(share) / 255;
                    budgets.shrink(&one.wish, one.most);
                },
                Event::Release { which } => if let Some(place) = pick(which, &running) {
                    budgets.release(&running.remove(place).wish);
                },
                Event::Lose { which, share } => if let Some(place) = pick(which, &running) {
                    let lost = running.remove(place);
                    truth.charge(&lost, lost.most * u64::from(share) / 255);
                    // By then the proxy has told its total.
                    look(&mut budgets, &truth);
                    budgets.give_up(&lost.wish, Open::NoReceipt);
                },
                Event::Crash => {
                    let kept: BTreeMap<String, KeyAccount> =
                        serde_json::from_str(&serde_json::to_string(&budgets.keys).unwrap()).unwrap();
                    budgets = Budgets::default();
                    for (key, account) in kept {
                        budgets.restore(key, account);
                    }
                    for lost in running.drain(..) {
                        truth.charge(&lost, lost.most);
                    }
                    look(&mut budgets, &truth);
                }
                Event::Midnight => day += 1,
                Event::TopUp { channel: tag, tokens } => truth.cover[usize::from(tag)] += tokens,
                Event::Look => look(&mut budgets, &truth),
            }
            let most = |is_counted: &dyn Fn(&Running) -> bool| {
                running.iter().filter(|one| is_counted(one)).map(|one| one.most).sum::<u64>()
            };
            for tag in 0..2u8 {
                let place = usize::from(tag);
                prop_assert!(truth.cost[place] + 2 * most(&|one| one.key == tag) <= total, "key {tag} of {total}");
                prop_assert!(truth.used[place] + most(&|one| one.channel == tag) <= truth.cover[place], "channel {tag}");
                for on in 3..=day {
                    let spent = truth.by_day.get(&(tag, on)).copied().unwrap_or(0);
                    let held = 2 * most(&|one| one.key == tag && one.wish.day == on);
                    prop_assert!(spent + held <= per_day, "key {tag} on day {on} of {per_day}");
                }
            }
        }
    }
}
