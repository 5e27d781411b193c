//! Introductions written by hand, with places where something generated goes: lines `{{command argument}}`.

use crate::docs::TEMPLATES;
use crate::error::GenError;
use std::path::Path;

/// The text of a command, or nothing if the command is not known.
type Answer = Result<Option<String>, GenError>;

/// Fills a template. `answer` gives the texts of its commands.
pub(crate) fn fill(
    repository: &Path,
    name: &str,
    answer: &mut dyn FnMut(&[&str]) -> Answer,
) -> Result<String, GenError> {
    let path = format!("{TEMPLATES}/{name}");
    let template = crate::read(repository, &path)?;
    let mut text = String::new();
    for line in template.lines() {
        let command = line.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        match command {
            None => text += line,
            Some(command) => {
                let words: Vec<&str> = command.split_whitespace().collect();
                let filled = answer(&words)?;
                text += &filled.ok_or_else(|| GenError::declaration(line, format!("{path}: not understood")))?;
            }
        }
        text.push('\n');
    }
    Ok(text)
}
