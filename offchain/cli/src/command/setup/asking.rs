//! Questions, each with a default, a check and a hint.

use std::io::BufRead as _;

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// How often a question is asked before it is given up.
const MAX_TRIES: usize = 5;

/// Asks a person, or nobody.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking {
    output: Output,
    takes_defaults: bool,
}

impl Asking {
    pub(super) fn new(output: Output, takes_defaults: bool) -> Self {
        Self { output, takes_defaults }
    }

    /// What is known already, or what a person answers, or the default with `--yes`. `option` gives it without a terminal.
    pub(super) fn value<T>(
        &self,
        question: &str,
        known: Option<T>,
        default: &str,
        option: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        if let Some(known) = known {
            return Ok(known);
        }
        if self.takes_defaults {
            return parse(default).map_err(|says| unanswered(question, option, &says));
        }
        if !self.output.is_interactive() {
            return Err(unanswered(question, option, "there is no terminal to ask on"));
        }
        for _ in 0..MAX_TRIES {
            let shown = if default.is_empty() {
                String::new()
            } else {
                format!(" [{default}]")
            };
            self.output.prompt(&format!("  {question}{shown}: "));
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            if !read.is_ok_and(|bytes| bytes > 0) {
                break;
            }
            let answer = if line.trim().is_empty() { default } else { line.trim() };
            match parse(answer) {
                Ok(value) => return Ok(value),
                Err(says) => self.output.note(format!("  hint: {says}")),
            }
        }
        Err(unanswered(question, option, "nothing was answered that could be taken"))
    }
}

fn unanswered(question: &str, option: &str, says: &str) -> Failure {
    let error = anyhow::anyhow!("{question}: {says}");
    let hint = format!("give {option}, or --yes for defaults; the answers so far are kept");
    Failure::new(Exit::Usage, error, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_takes_what_is_known_then_the_default_and_never_a_wrong_one() {
        let output = Output { json: true };
        let number = |text: &str| text.parse::<u32>().map_err(|_| "a number".to_owned());
        let asking = Asking::new(output, true);
        assert_eq!(asking.value("How many", Some(7), "5", "--count", number).unwrap(), 7);
        assert_eq!(asking.value("How many", None, "5", "--count", number).unwrap(), 5);
        let refused = asking.value("How many", None, "", "--count", number).unwrap_err();
        assert_eq!(refused.exit(), Exit::Usage);
        assert!(refused.render(false).contains("give --count"), "{refused:?}");
    }
}
