//! Unix times as people read and write them, UTC.

const DAY: u32 = 86_400;

/// A Unix time as people write it, UTC.
pub fn date(time: u32) -> String {
    let (days, seconds) = (i64::from(time / DAY), time % DAY);
    // Days to a date of the Gregorian calendar, in eras of 400 years that begin on 1 March.
    let shifted = days + 719_468;
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + shifted.div_euclid(146_097) * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The last second of a day that is written `YYYY-MM-DD`, 1970 to 2105, UTC; none if it is no day.
pub fn end_of_day(text: &str) -> Option<u32> {
    let is_plain = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = text.split('-').filter(is_plain);
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || (year.len(), month.len(), day.len(), text.len()) != (4, 2, 2, 10) {
        return None;
    }
    let (year, month, day): (u32, u32, u32) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    if !(1970..=2105).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // The reverse of the above; what is no date, such as 30 February, does not come back as it was written.
    let shifted_year = if month <= 2 { year.checked_sub(1)? } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * shifted_year + shifted_year / 4 - shifted_year / 100 + shifted_year / 400 + day_of_year;
    let end = days.checked_sub(719_468)?.checked_mul(DAY)?.checked_add(DAY - 1)?;
    date(end).starts_with(text).then_some(end)
}

/// The last second of the day, UTC, that is so many days after a time: the same for all of a day, so that a command that is
/// given again means the same.
pub fn day_after(time: u32, days: u32) -> Option<u32> {
    let last = (time / DAY).checked_add(days)?;
    last.checked_mul(DAY)?.checked_add(DAY - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_shown_as_dates() {
        assert_eq!(date(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(date(1_780_000_000), "2026-05-28 20:26:40 UTC");
        assert_eq!(date(u32::MAX), "2106-02-07 06:28:15 UTC");
    }

    #[test]
    fn a_day_ends_with_its_last_second() {
        assert_eq!(end_of_day("1970-01-01"), Some(DAY - 1));
        assert_eq!(end_of_day("2000-02-29"), Some(951_782_400 + DAY - 1));
        for wrong in [
            "2001-02-29",
            "2026-13-01",
            "2026-1-01",
            "26-01-01",
            "2026-01-01-",
            "2026-01-01 ",
            "-2026-01-01",
            "",
        ] {
            assert_eq!(end_of_day(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_day_is_read_as_it_is_written(day in 0u32..49_000) {
            let text: String = date(day * DAY).chars().take(10).collect();
            let end = (text.as_str() < "2106").then_some(day * DAY + DAY - 1);
            prop_assert_eq!(end_of_day(&text), end);
            prop_assert_eq!(day_after(day * DAY + 17, 0), Some(day * DAY + DAY - 1));
        }

        #[test]
        fn any_text_gives_a_day_or_none(text in ".{0,12}") {
            end_of_day(&text);
        }
    }
}
