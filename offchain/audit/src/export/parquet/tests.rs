//! The bytes against the format's own examples; whole files are read by other implementations (`scripts/ci/parquet/run`).

use super::pages::{bits, packed, runs};
use super::*;
use crate::limits::AMOUNT_LIMIT;
use proptest::prelude::*;

const COLUMNS: [Column; 5] = [
    Column {
        name: "text",
        kind: Kind::Text,
        is_optional: false,
    },
    Column {
        name: "number",
        kind: Kind::Number,
        is_optional: true,
    },
    Column {
        name: "time",
        kind: Kind::Time,
        is_optional: false,
    },
    Column {
        name: "amount",
        kind: Kind::Amount,
        is_optional: false,
    },
    Column {
        name: "flag",
        kind: Kind::Flag,
        is_optional: false,
    },
];

fn row(number: u64) -> Vec<Value> {
    vec![
        Value::Text(format!("text {}", number % 3)),
        if number.is_multiple_of(2) {
            Value::Null
        } else {
            Value::Number(number)
        },
        Value::Time(1_790_000_000_000 + number),
        Value::Amount(u128::from(number) << 64),
        Value::Flag(number.is_multiple_of(5)),
    ]
}

#[test]
fn packed_bits_are_those_of_the_format() {
    // The example of Parquet's page on encodings: 0 to 7 in three bits each.
    let mut bytes = Vec::new();
    packed(&[0, 1, 2, 3, 4, 5, 6, 7], 8, &mut bytes);
    assert_eq!(bytes, [3, 0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010]);
    let mut bytes = Vec::new();
    packed(&[0, 0, 0], 1, &mut bytes);
    assert_eq!(bytes, [1, 3, 0]);
    assert_eq!(runs(&[true, true, false]), [4, 1, 2, 0]);
    assert_eq!(
        bits(&[true, false, true, false, false, false, false, false, true]),
        [5, 1]
    );
}

#[test]
fn a_file_begins_and_ends_as_it_should_and_says_where_its_footer_is() {
    let mut writer = Writer::new(Vec::new(), &COLUMNS).unwrap();
    for number in 0..ROWS_OF_A_GROUP as u64 + 10 {
        writer.push(row(number)).unwrap();
    }
    assert_eq!((writer.groups.len(), writer.total), (1, ROWS_OF_A_GROUP as u64 + 10));
    let chunk = &writer.groups[0].chunks[0];
    assert_eq!(
        (chunk.start(), chunk.dictionary),
        (4, Some(4)),
        "few texts have a dictionary"
    );
    assert!(
        writer.groups[0].chunks[1..]
            .iter()
            .all(|chunk| chunk.dictionary.is_none())
    );
    let file = writer.finish().unwrap();
    assert_eq!((&file[..4], &file[file.len() - 4..]), (&MAGIC[..], &MAGIC[..]));
    let length = u32::from_le_bytes(file[file.len() - 8..file.len() - 4].try_into().unwrap()) as usize;
    let footer = &file[file.len() - 8 - length..file.len() - 8];
    // Version 1, then a list of six elements of the schema.
    assert_eq!(footer[..3], [0x15, 2, 0x19]);
    assert_eq!((footer[3], footer[footer.len() - 1]), ((6 << 4) | 12, 0));
}

#[test]
fn a_value_of_another_kind_or_beyond_its_column_is_refused() {
    let mut writer = Writer::new(Vec::new(), &COLUMNS).unwrap();
    assert!(matches!(writer.push(vec![Value::Null]), Err(RowError::Unfit(_))));
    let wrong = [
        (0, Value::Null),
        (0, Value::Number(1)),
        (1, Value::Number(u64::MAX)),
        (2, Value::Number(1 << 63)),
        (3, Value::Amount(AMOUNT_LIMIT)),
    ];
    for (column, value) in wrong {
        let mut changed = row(1);
        changed[column] = value;
        let refused = writer.push(changed);
        assert!(matches!(refused, Err(RowError::Unfit(name)) if name == COLUMNS[column].name));
        writer = Writer::new(Vec::new(), &COLUMNS).unwrap();
    }
}

/// Reads packed numbers back.
fn unpacked(bytes: &[u8], count: usize) -> Vec<u32> {
    let width = usize::from(bytes[0]);
    let data = &bytes[1 + bytes[1..].iter().take_while(|byte| **byte >= 0x80).count() + 1..];
    let bit = |at: usize| u32::from((data[at / 8] >> (at % 8)) & 1);
    let number = |at: usize| (0..width).fold(0, |number, digit| number | (bit(at * width + digit) << digit));
    (0..count).map(number).collect()
}

proptest! {
    #[test]
    fn packed_numbers_are_read_back(bound in 1_u32..70_000, numbers in prop::collection::vec(any::<u32>(), 1..100)) {
        let numbers: Vec<u32> = numbers.into_iter().map(|number| number % bound).collect();
        let mut bytes = Vec::new();
        packed(&numbers, bound as usize, &mut bytes);
        prop_assert_eq!(unpacked(&bytes, numbers.len()), numbers);
    }

    #[test]
    fn any_texts_make_a_file(texts in prop::collection::vec(".{0,20}", 0..40)) {
        let column = [Column { name: "text", kind: Kind::Text, is_optional: true }];
        let mut writer = Writer::new(Vec::new(), &column).unwrap();
        for text in &texts {
            writer.push(vec![if text.is_empty() { Value::Null } else { Value::Text(text.clone()) }]).unwrap();
        }
        prop_assert!(writer.finish().unwrap().len() > 12);
    }
}
