//! RFC 3339 in the one form that TCB documents use: `2026-02-18T10:58:51Z`.

/// Seconds since 1970 of a moment such as `2027-01-31T12:00:00Z`, or of a day, which stands for its beginning (UTC).
pub fn parse_moment(text: &str) -> Option<u64> {
    parse(text).or_else(|| parse(&format!("{text}T00:00:00Z")))
}

/// Seconds since 1970 of the end of the year 9999.
const END: u64 = 253_402_300_800;

/// The moment of `seconds` since 1970, such as `2027-01-31T12:00:00Z`; in words when the year has five digits or more.
pub fn format_moment(seconds: u64) -> String {
    format(seconds)
}

/// Seconds since 1970 of a UTC timestamp, or `None` when it has another form.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    if bytes.len() != 20 || !text.is_ascii() || bytes[19] != b'Z' {
        return None;
    }
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, byte)| bytes[at] != byte) {
        return None;
    }
    let number = |range: core::ops::Range<usize>| -> Option<u64> {
        let digits = text.get(range)?;
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            digits.parse().ok()
        } else {
            None
        }
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if year < 1970 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_before(year, month, day)?;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// The timestamp of `seconds` since 1970, for years up to 9999.
pub(crate) fn format(seconds: u64) -> String {
    // Years are counted one by one.
    if seconds >= END {
        return "after the year 9999".to_owned();
    }
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    while days >= days_in_year(year) {
        days -= days_in_year(year);
        year += 1;
    }
    let mut month = 1;
    while days >= days_in_month(year, month) {
        days -= days_in_month(year, month);
        month += 1;
    }
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!(
        "{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z",
        days + 1
    )
}

fn days_before(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let years = (1970..year).fold(0, |days, y| days + days_in_year(y));
    let months = (1..month).fold(0, |days, m| days + days_in_month(year, m));
    Some(years + months + day - 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_moments_agree_with_date_utility() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse("2026-02-18T10:58:51Z"), Some(1_771_412_331));
        assert_eq!(parse("2024-02-29T23:59:59Z"), Some(1_709_251_199));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-02-18 10:58:51Z",
            "2026-02-18T10:58:51+",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_far_moment_is_said_in_words_at_once() {
        assert_eq!(format(END - 1), "9999-12-31T23:59:59Z");
        assert_eq!(format(END), "after the year 9999");
        assert_eq!(format(u64::MAX), "after the year 9999");
    }

    proptest! {
        #[test]
        fn formatted_moments_parse_back(seconds in 0_u64..253_402_300_800) {
            prop_assert_eq!(parse(&format(seconds)), Some(seconds));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,24}") {
            let _ = parse(&text);
        }
    }
}
