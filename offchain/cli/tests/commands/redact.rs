//! Takes out what differs between two runs, by its shape and by nothing else: addresses, hashes, times, ports, folders.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::case::Stand;

/// Shapes that differ wherever they stand, with what is put there instead. The order counts: longer ones first.
const EVERYWHERE: [(&str, &str); 16] = [
    (r#"ton://transfer/[A-Za-z0-9_-]{48}\?[^\s"]+"#, "[LINK]"),
    (r"\bte6cc[A-Za-z0-9+/_=-]+", "[CELLS]"),
    (r"(?:-1|\b0):[0-9a-fA-F]{64}\b", "[ADDRESS]"),
    (r"\b[EUk0][Qf][A-Za-z0-9_-]{46}", "[ADDRESS]"),
    // The end of a key in the form of signed notes: name+id+key.
    (r"\+[0-9a-f]{8}\+[A-Za-z0-9+/]{42,44}=*", "+[KEY]"),
    (r"\b[0-9a-f]{128}\b", "[SIGNATURE]"),
    (r"\b[0-9a-f]{96}\b", "[REGISTER]"),
    (r"\b[0-9a-f]{64}\b", "[HASH]"),
    (r"[A-Za-z0-9+/]{100,}=*", "[BYTES]"),
    (r"[A-Za-z0-9+/]{43}=", "[HASH]"),
    (
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        "[ID]",
    ),
    // Port 1 is where nobody listens, on purpose.
    (r"\b127\.0\.0\.1:[0-9]{2,5}\b", "127.0.0.1:[PORT]"),
    (r"\b20[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-9:.]{8,}(?:Z| UTC)?", "[TIME]"),
    (r"\b1[789][0-9]{8}\b", "[TIME]"),
    (r"cocoon [0-9]+\.[0-9]+\.[0-9]+\S*", "cocoon [VERSION]"),
    (r"\b[0-9]+(?:\.[0-9]+)? (?:KiB|MiB|GiB|kB|MB|GB)\b", "[SIZE]"),
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

static SHAPES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| compiled(&EVERYWHERE));
static LIVE: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| compiled(&ON_THE_NETWORK));
/// Columns end where the longest of them ended.
static PADDED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[([A-Z]+)\]((?: TON)?) {2,}").unwrap());

fn compiled(shapes: &[(&str, &'static str)]) -> Vec<(Regex, &'static str)> {
    let one = |(shape, instead): &(&str, &'static str)| (Regex::new(shape).unwrap(), *instead);
    shapes.iter().map(one).collect()
}

/// `text` without what differs; `folders` are paths with what stands for them.
pub(crate) fn redacted(text: &str, stand: Stand, folders: &[(String, &str)]) -> String {
    let mut text = text.to_owned();
    for (folder, instead) in folders {
        text = text.replace(folder.as_str(), instead);
    }
    let is_live = matches!(stand, Stand::Network | Stand::Ending);
    let live = LIVE.iter().filter(|_| is_live);
    for (shape, instead) in SHAPES.iter().chain(live) {
        text = shape.replace_all(&text, *instead).into_owned();
    }
    let narrow = |found: &Captures<'_>| format!("[{}]{}  ", &found[1], &found[2]);
    PADDED.replace_all(&text, narrow).into_owned()
}
