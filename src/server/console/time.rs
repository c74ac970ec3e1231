//! Spans of time as people say them.

/// Seconds: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match () {
        () if minutes == 0 => format!("{seconds} s"),
        () if hours == 0 => format!("{minutes} min {} s", seconds % 60),
        () if days == 0 => format!("{hours} h {} min", minutes % 60),
        () => format!("{days} d {} h", hours % 24),
    }
}

/// Milliseconds: short ones with one place behind the point.
pub fn millis(millis: f64) -> String {
    if millis < 10.0 { format!("{millis:.1} ms") } else { format!("{millis:.0} ms") }
}

/// The time of day of an RFC 3339 time, to the millisecond, in UTC.
pub fn time_of_day(stamp: &str) -> &str {
    stamp.split_once('T').map_or(stamp, |(_, time)| time.get(..12).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_words_at_most() {
        let spans = [0, 59, 60, 3_599, 3_600, 90_000, 300_000].map(span);
        let expected =
            ["0 s", "59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "1 d 1 h", "3 d 11 h"];
        assert_eq!(spans, expected);
        assert_eq!((millis(3.04), millis(31.6)), ("3.0 ms".to_owned(), "32 ms".to_owned()));
        assert_eq!(time_of_day("2026-11-21T10:15:30.123456Z"), "10:15:30.123");
    }
}
