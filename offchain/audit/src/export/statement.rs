//! A statement as one Parquet file.

use super::parquet::{Column, Kind, RowError, Value, Writer};
use crate::error::AuditError;
use crate::statement::Line;

const fn column(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        is_optional: false,
    }
}

/// The columns of a statement's lines, those of its CSV.
const COLUMNS: [Column; 10] = [
    column("day", Kind::Text),
    column("contract", Kind::Text),
    column("model", Kind::Text),
    column("receipts", Kind::Number),
    column("prompt", Kind::Amount),
    column("cached", Kind::Amount),
    column("completion", Kind::Amount),
    column("reasoning", Kind::Amount),
    column("charged", Kind::Number),
    column("nanoton", Kind::Amount),
];

/// A statement as a Parquet file: the columns of its CSV, sums of tokens and nanoton as decimals of 38 digits.
pub fn to_parquet(lines: &[Line]) -> Result<Vec<u8>, AuditError> {
    let write = || -> Result<Vec<u8>, RowError> {
        let mut writer = Writer::new(Vec::new(), &COLUMNS)?;
        for line in lines {
            let sums = &line.sums;
            writer.push(vec![
                Value::Text(line.day.clone()),
                Value::Text(line.contract.to_string()),
                Value::Text(line.model.to_string()),
                Value::Number(sums.receipts),
                Value::Amount(sums.prompt),
                Value::Amount(sums.cached),
                Value::Amount(sums.completion),
                Value::Amount(sums.reasoning),
                Value::Number(sums.charged),
                Value::Amount(sums.amount.get()),
            ])?;
        }
        Ok(writer.finish()?)
    };
    write().map_err(|error| AuditError::CutOff {
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::to_csv;

    #[test]
    fn a_statement_has_the_columns_of_its_csv() {
        let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(to_csv(&[]), format!("{}\n", names.join(",")));
        let empty = to_parquet(&[]).unwrap();
        assert!(empty.starts_with(b"PAR1") && empty.ends_with(b"PAR1"));
    }
}
