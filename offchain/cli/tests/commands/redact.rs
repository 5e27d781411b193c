//! Takes out what differs between two runs, and nothing else.
//!
//! What a scene knows by a name gets that name, so that one address in the place of another is seen. Other addresses, hashes and
//! messages are taken out by their shape only where a scene draws keys or query ids, or stands on the running network.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use regex::{Captures, Regex};

use crate::case::{Scene, Stand};

/// Shapes that differ in every scene.
const EVERYWHERE: [(&str, &str); 6] = [
    // What this machine has.
    (
        r#"("(?:available_bytes|fitting_cache_tokens)": )[0-9]+"#,
        "${1}[NUMBER]",
    ),
    (
        r"[0-9]+ tokens of cache would fit",
        "[NUMBER] tokens of cache would fit",
    ),
    // Port 1 is where nobody listens, on purpose.
    (r"\b127\.0\.0\.1:[0-9]{2,5}\b", "127.0.0.1:[PORT]"),
    (r"\b20[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-9:.]{8,}(?:Z| UTC)?", "[TIME]"),
    (r"cocoon [0-9]+\.[0-9]+\.[0-9]+\S*", "cocoon [VERSION]"),
    (r"\b[0-9]+(?:\.[0-9]+)? (?:KiB|MiB|GiB|kB|MB|GB)\b", "[SIZE]"),
];

/// Where keys, query ids or times are others in each run. The order counts: longer ones first, and hexadecimal ones and
/// bytes before addresses, because some begin as an address does (`0f`), or hold one behind a `/`. Of a link the amount stays.
const WHERE_DRAWN: [(&str, &str); 14] = [
    (r"\bte6cc[A-Za-z0-9+/_=-]+", "[CELLS]"),
    (r"(?:-1|\b0):[0-9a-fA-F]{64}\b", "[ADDRESS]"),
    (r"\b[0-9a-f]{128}\b", "[SIGNATURE]"),
    (r"\b[0-9a-f]{96}\b", "[REGISTER]"),
    (r"\b[0-9a-f]{64}\b", "[HASH]"),
    (r"[A-Za-z0-9+/]{100,}=*", "[BYTES]"),
    (r"\b[EUk0][Qf][A-Za-z0-9_-]{46}", "[ADDRESS]"),
    // The end of a key in the form of signed notes: name+id+key.
    (r"\+[0-9a-f]{8}\+[A-Za-z0-9+/]{42,44}=*", "+[KEY]"),
    // The beginning of an API key.
    (r"\bck-[0-9a-f]{6}\b", "ck-[START]"),
    // The beginning of a key's hash.
    (r"\b[0-9a-f]{20,24}\.\.\.", "[HASH]..."),
    (r"[A-Za-z0-9+/]{43}=", "[HASH]"),
    (
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        "[ID]",
    ),
    // Behind a name that says so: an amount of 1.8 TON has as many digits.
    (
        r#"("(?:now|time|at|from|until|since|not_before|retire_after|[a-z_]+_(?:at|until|time|from))": )1[789][0-9]{8}\b"#,
        "${1}[TIME]",
    ),
    (r"(\b(?:now|time|at|until|since) +)1[789][0-9]{8}\b", "${1}[TIME]"),
];

/// On the running network time goes on and fees are paid: durations, and amounts with their fractions.
const ON_THE_NETWORK: [(&str, &str); 8] = [
    (
        r#"((?:_ms|_seconds|seconds|_10m|_rate|_per_token_ms|reputation)"?: )-?[0-9][0-9.e-]*"#,
        "${1}[NUMBER]",
    ),
    (
        r#"((?:_queries|_requests|_tokens|_bytes|anchors|transaction|checkpoint)"?:? )[0-9]+\b"#,
        "${1}[COUNT]",
    ),
    (r"\b[0-9]+(?:\.[0-9]+)? ?(?:ms|µs|s|seconds)\b", "[DURATION]"),
    (r"\b[0-9]+(?:\.[0-9]+)? TON\b", "[AMOUNT] TON"),
    (r"\b20[0-9]{2}-[01][0-9]-[0-3][0-9]\b", "[DAY]"),
    (r#""[0-9]{5,}""#, r#""[AMOUNT]""#),
    (r"\b[0-9]{7,}\b", "[AMOUNT]"),
    (r"\b[0-9]+ tokens\b", "[COUNT] tokens"),
];

static EACH: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| compiled(&EVERYWHERE));
static DRAWN: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| compiled(&WHERE_DRAWN));
static LIVE: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| compiled(&ON_THE_NETWORK));
/// Lines with terms, which are the same in every run also on the network.
static TERMS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("price|worker_fee|worker fee|coefficient|multiplier|max_tokens|min_[a-z]+_stake|delay_before_close")
        .unwrap()
});
/// What a name may stand for: an address or a hash.
static NAMED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(?:(?:-1|0):)?[0-9a-f]{64}$").unwrap());
static FRIENDLY: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[EUk0][Qf][A-Za-z0-9_-]{46}").unwrap());
/// Columns end where the longest of them ended.
static PADDED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(\[[A-Z]+\]|\$[A-Z_]+)((?: TON)?) {2,}").unwrap());

fn compiled(shapes: &[(&str, &'static str)]) -> Vec<(Regex, &'static str)> {
    let one = |(shape, instead): &(&str, &'static str)| (Regex::new(shape).unwrap(), *instead);
    shapes.iter().map(one).collect()
}

fn without(text: String, shapes: &[(Regex, &'static str)]) -> String {
    shapes.iter().fold(text, |text, (shape, instead)| {
        shape.replace_all(&text, *instead).into_owned()
    })
}

/// `text` without what differs; `folders` are paths with what stands for them, `names` those of the scene.
pub(crate) fn redacted(
    text: &str,
    scene: &Scene,
    folders: &[(String, &str)],
    names: &BTreeMap<String, String>,
) -> String {
    let mut text = text.to_owned();
    for (folder, instead) in folders {
        text = text.replace(folder.as_str(), instead);
    }
    text = without(named(&text, names), &EACH);
    if scene.is_drawn {
        text = without(text, &DRAWN);
    }
    if matches!(scene.stand, Stand::Network | Stand::Ending) {
        let live = |line: &str| {
            if TERMS.is_match(line) {
                line.to_owned()
            } else {
                without(line.to_owned(), &LIVE)
            }
        };
        text = text.split_inclusive('\n').map(live).collect();
    }
    let narrow = |found: &Captures<'_>| format!("{}{}  ", &found[1], &found[2]);
    PADDED.replace_all(&text, narrow).into_owned()
}

/// With the names of what the scene knows, however an address is written.
fn named(text: &str, names: &BTreeMap<String, String>) -> String {
    let mut known: Vec<(&str, &str)> = names
        .iter()
        .filter(|(_, value)| NAMED.is_match(value))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    // Addresses before hashes: one may hold the other.
    known.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    let of_friendly = |found: &Captures<'_>| {
        let raw = URL_SAFE.decode(&found[0]).ok().filter(|bytes| bytes.len() == 36);
        let raw = raw.map(|bytes| format!("{}:{}", i8::from_ne_bytes([bytes[1]]), hex::encode(&bytes[2..34])));
        let name = known.iter().find(|(_, value)| raw.as_deref() == Some(*value));
        name.map_or_else(|| found[0].to_owned(), |(name, _)| format!("${name}"))
    };
    let text = FRIENDLY.replace_all(text, of_friendly).into_owned();
    known
        .iter()
        .fold(text, |text, (name, value)| text.replace(value, &format!("${name}")))
}

#[test]
fn another_address_or_amount_is_another_transcript() {
    let scene = |is_drawn, stand| Scene {
        stand,
        is_drawn,
        title: String::new(),
        steps: Vec::new(),
    };
    let (root, other) = (format!("0:{}", "7".repeat(64)), format!("0:{}", "8".repeat(64)));
    let names = BTreeMap::from([("ROOT".to_owned(), root.clone())]);
    let shown = |text: &str, scene: &Scene| redacted(text, scene, &[], &names);
    let (fixed, drawn) = (scene(false, Stand::Chain), scene(true, Stand::Chain));
    let text = format!("to {root}, then {other}");
    assert_eq!(shown(&text, &fixed), format!("to $ROOT, then {other}"));
    assert_eq!(shown(&text, &drawn), "to $ROOT, then [ADDRESS]");
    let amount = "\"value\": 1790000000,\n\"valid_until\": 1790000000";
    assert_eq!(shown(amount, &fixed), amount);
    assert_eq!(shown(amount, &drawn), "\"value\": 1790000000,\n\"valid_until\": [TIME]");
    let bytes: Vec<u8> = [0x11, 0].into_iter().chain([0x77; 32]).chain([0; 2]).collect();
    let link = format!("ton://transfer/{}?amount=5&bin=te6ccAAA", URL_SAFE.encode(bytes));
    assert_eq!(shown(&link, &drawn), "ton://transfer/$ROOT?amount=5&bin=[CELLS]");
    // It begins as an address in its friendly form does.
    for digits in [64, 96, 128] {
        let hash = format!("0f{}", "7".repeat(digits - 2));
        assert!(!shown(&hash, &drawn).contains("ADDRESS"), "{}", shown(&hash, &drawn));
        assert!(!shown(&format!("\"{hash}\""), &drawn).contains('7'));
    }
    let live = scene(true, Stand::Network);
    assert_eq!(
        shown("\"price_per_token\": \"20000\"\n\"amount\": \"20000\"", &live),
        "\"price_per_token\": \"20000\"\n\"amount\": \"[AMOUNT]\""
    );
}
