//! How often a user may write.

use std::collections::HashMap;

use crate::limits::MAX_USERS;

/// A bucket for each user that holds a minute's messages. Time is an argument, in seconds.
#[derive(Debug)]
pub(crate) struct Rates {
    per_minute: f64,
    users: HashMap<i64, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: f64,
    /// Whether the user was told.
    is_told: bool,
}

/// Whether a message is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rate {
    Fine,
    /// The first one too many, and in how many seconds the next is heard.
    TooMany(u64),
    /// Another one: an answer would only make it worse.
    StillTooMany,
}

impl Rates {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self {
            per_minute: f64::from(per_minute),
            users: HashMap::new(),
        }
    }

    /// Takes one message of a user.
    pub(crate) fn take(&mut self, user: i64, now: f64) -> Rate {
        if self.users.len() >= MAX_USERS {
            // Whoever was quiet for a minute has a full bucket, as one who is not known.
            self.users.retain(|_, bucket| now - bucket.at < 60.0);
        }
        let full = self.per_minute;
        let bucket = self.users.entry(user).or_insert(Bucket {
            left: full,
            at: now,
            is_told: false,
        });
        bucket.left = (bucket.left + (now - bucket.at).max(0.0) * full / 60.0).min(full);
        bucket.at = now;
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            bucket.is_told = false;
            return Rate::Fine;
        }
        match std::mem::replace(&mut bucket.is_told, true) {
            true => Rate::StillTooMany,
            false => Rate::TooMany(((1.0 - bucket.left) * 60.0 / full).ceil() as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_who_writes_too_often_is_told_once_and_heard_again_later() {
        let mut rates = Rates::new(2);
        assert_eq!([rates.take(1, 0.0), rates.take(1, 0.0)], [Rate::Fine; 2]);
        assert_eq!(rates.take(1, 0.0), Rate::TooMany(30));
        assert_eq!(rates.take(1, 1.0), Rate::StillTooMany);
        assert_eq!(rates.take(2, 1.0), Rate::Fine, "others are not held up");
        assert_eq!(rates.take(1, 31.0), Rate::Fine);
        assert!(matches!(rates.take(1, 31.0), Rate::TooMany(_)));
    }
}
