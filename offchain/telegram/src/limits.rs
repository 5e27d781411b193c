//! Every bound of the bot, with its reason.

use std::time::Duration;

/// UTF-16 code units of one message: Telegram's bound.
pub const MAX_MESSAGE_UNITS: usize = 4096;

/// Messages that one answer becomes at most; what is longer is cut, and the bot says so. Bounds also what is kept of an answer.
pub const MAX_ANSWER_MESSAGES: usize = 12;

/// Bytes of an answer's text that are kept: as many messages of characters that take four bytes.
pub const MAX_ANSWER_BYTES: usize = MAX_ANSWER_MESSAGES * MAX_MESSAGE_UNITS * 4;

/// Between two edits of a message in a private chat. Telegram asks for no more than one message a second in a chat.
pub const EDIT_EVERY: Duration = Duration::from_millis(1500);

/// The same in a group, where Telegram allows twenty messages a minute.
pub const EDIT_EVERY_IN_GROUPS: Duration = Duration::from_millis(3500);

/// How often "typing" is shown until an answer begins; Telegram shows it for five seconds.
pub const TYPING_EVERY: Duration = Duration::from_secs(4);

/// Longest wait that Telegram may ask for before a message is given up; longer ones are punishments of minutes, and nobody
/// reads the answer any more.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// Attempts at one call that Telegram refuses with a wait, or that does not reach it.
pub const MAX_ATTEMPTS: u32 = 5;

/// First and longest wait between attempts to reach Telegram.
pub const RECONNECT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How long Telegram holds a question for updates back while there are none.
pub const POLL_SECONDS: u64 = 50;

/// To connect to Telegram or to the client.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// For a short call of either.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest silence in the middle of an answer. A worker that is busy may take as long to begin.
pub const ANSWER_SILENCE: Duration = Duration::from_secs(120);

/// Bytes of an answer of Telegram: a hundred updates with texts of 4096 characters and what they reply to.
pub const MAX_API_BYTES: usize = 8 << 20;

/// Bytes of a short answer of the client: a list of models or its statistics.
pub const MAX_CLIENT_BYTES: usize = 8 << 20;

/// Messages of a conversation that are kept, both sides counted.
pub const HISTORY_MESSAGES: usize = 24;

/// Bytes of a conversation that are kept: each is paid for again with each question.
pub const HISTORY_BYTES: usize = 24 * 1024;

/// Conversations that are kept; the one that was quiet longest is forgotten for a new one.
pub const MAX_CHATS: usize = 10_000;

/// Users whose spending of a day is kept. More than these are refused until midnight.
pub const MAX_USERS: usize = 100_000;

/// Updates that are remembered, so that none is answered twice: Telegram repeats only what was not confirmed, of which there
/// are at most a hundred.
pub const MAX_REMEMBERED_UPDATES: usize = 1000;

/// Bytes of a request beside its JSON body, which the network counts as prompt as well: path and headers.
pub const REQUEST_OVERHEAD_BYTES: u64 = 1024;

/// How long terms of the network are taken as current. Terms change by a vote of days.
pub const TERMS_KEPT: Duration = Duration::from_secs(60);

/// Time that running answers have to end when the bot stops.
pub const DRAIN: Duration = Duration::from_secs(30);

/// Bytes of the token's file. A token has less than a hundred.
pub const MAX_TOKEN_BYTES: u64 = 4096;

/// Bytes of the journal that are read: far more than it may grow to, which is three times what [`MAX_USERS`] have spent.
pub const MAX_JOURNAL_BYTES: u64 = 256 << 20;

/// Bytes that the journal may grow beyond twice what it had when it was written anew; then that is done again. Thousands of
/// requests, so that it is rarely done and costs little beside them, and little enough to be read at once.
pub const JOURNAL_SLACK_BYTES: u64 = 1 << 20;

/// Models that `/model` lists.
pub const MAX_LISTED_MODELS: usize = 30;
