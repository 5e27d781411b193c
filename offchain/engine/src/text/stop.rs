//! Stop strings, also where they lie across the borders of tokens.

/// Looks for the first of several texts in a stream and holds back what may become one.
pub(crate) struct StopFilter {
    stops: Vec<String>,
    held: String,
}

/// What [`StopFilter::push`] found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Filtered {
    /// Text that is free to go.
    Open(String),
    /// The text before the stop string; everything after is dropped.
    Stopped(String),
}

impl StopFilter {
    pub(crate) fn new(stops: Vec<String>) -> Self {
        Self {
            stops,
            held: String::new(),
        }
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: &str) -> Filtered {
        if self.stops.is_empty() {
            return Filtered::Open(piece.to_owned());
        }
        self.held.push_str(piece);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop)).min() {
            self.held.truncate(at);
            return Filtered::Stopped(std::mem::take(&mut self.held));
        }
        let free = self.held.len() - self.possible_start();
        let rest = self.held.split_off(free);
        Filtered::Open(std::mem::replace(&mut self.held, rest))
    }

    /// The rest, when the stream ends without a stop string.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Length of the longest end of the held text with which a stop string begins.
    fn possible_start(&self) -> usize {
        let starts = self.stops.iter().flat_map(|stop| {
            let borders = stop.char_indices().map(|(at, _)| at).skip(1);
            borders.filter(|at| self.held.ends_with(&stop[..*at]))
        });
        starts.max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut filter = StopFilter::new(stops.iter().map(|stop| (*stop).to_owned()).collect());
        let mut out = String::new();
        for piece in pieces {
            match filter.push(piece) {
                Filtered::Open(text) => out += &text,
                Filtered::Stopped(text) => return (out + &text, true),
            }
        }
        (out + &filter.finish(), false)
    }

    #[test]
    fn a_stop_string_across_pieces_is_found_and_not_shown() {
        assert_eq!(run(&["END"], &["abc E", "N", "Dxyz"]), ("abc ".to_owned(), true));
        assert_eq!(run(&["END"], &["abc E", "N", "G"]), ("abc ENG".to_owned(), false));
        assert_eq!(run(&["🦋!"], &["a🦋", "!b"]), ("a".to_owned(), true));
    }

    #[test]
    fn the_earliest_stop_string_wins() {
        assert_eq!(run(&["b", "abc"], &["xabc"]), ("x".to_owned(), true));
        assert_eq!(run(&["cd", "b"], &["abcd"]), ("a".to_owned(), true));
    }

    #[test]
    fn only_what_may_become_a_stop_string_is_held_back() {
        let mut filter = StopFilter::new(vec!["\n\n".to_owned()]);
        assert_eq!(filter.push("one\n"), Filtered::Open("one".to_owned()));
        assert_eq!(filter.push("two"), Filtered::Open("\ntwo".to_owned()));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "[ab\u{e9}]{0,30}", stop in "[ab\u{e9}]{1,4}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let characters: Vec<char> = text.chars().collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(characters.len() + 1)).collect();
            cuts.extend([0, characters.len()]);
            cuts.sort_unstable();
            let pieces: Vec<String> = cuts.windows(2).map(|pair| characters[pair[0]..pair[1]].iter().collect()).collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let expected = match text.find(&stop) {
                Some(at) => (text[..at].to_owned(), true),
                None => (text.clone(), false),
            };
            prop_assert_eq!(run(&[&stop], &pieces), expected);
        }
    }
}
