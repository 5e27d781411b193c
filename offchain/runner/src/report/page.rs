//! Statistics as a small HTML page: no script, no style from elsewhere, no link that changes anything.

use std::fmt::Write as _;

use serde_json::Value;

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><style>\
body{font:14px/1.4 monospace;margin:1em}table{border-collapse:collapse}\
td,th{border:1px solid #999;padding:2px 6px;text-align:left;vertical-align:top}</style>";

/// A page with the sections of `statistics`.
pub(super) fn html(role: &str, statistics: &Value) -> String {
    let mut text = format!("{HEAD}<title>cocoon {role}</title><h1>cocoon {role}</h1>");
    match statistics {
        Value::Object(sections) => {
            for (name, section) in sections {
                // Writing to a string cannot fail.
                let _ = write!(text, "<h2>{}</h2>", escaped(name));
                show(&mut text, section);
            }
        }
        other => show(&mut text, other),
    }
    text.push_str("</html>\n");
    text
}

fn show(text: &mut String, value: &Value) {
    match value {
        Value::Object(fields) => {
            text.push_str("<table>");
            for (name, field) in fields {
                let _ = write!(text, "<tr><th>{}</th><td>", escaped(name));
                show(text, field);
                text.push_str("</td></tr>");
            }
            text.push_str("</table>");
        }
        Value::Array(items) if items.iter().all(Value::is_object) => list(text, items),
        Value::Array(items) => {
            for item in items {
                show(text, item);
                text.push(' ');
            }
        }
        Value::Number(number) => number_text(text, number),
        Value::String(string) => text.push_str(&escaped(string)),
        Value::Bool(is_true) => text.push_str(if *is_true { "yes" } else { "no" }),
        Value::Null => text.push('-'),
    }
}

/// Objects of one kind as one table.
fn list(text: &mut String, items: &[Value]) {
    let Some(Value::Object(first)) = items.first() else {
        text.push_str("none");
        return;
    };
    text.push_str("<table><tr>");
    for name in first.keys() {
        let _ = write!(text, "<th>{}</th>", escaped(name));
    }
    text.push_str("</tr>");
    for item in items {
        text.push_str("<tr>");
        for name in first.keys() {
            text.push_str("<td>");
            show(text, item.get(name).unwrap_or(&Value::Null));
            text.push_str("</td>");
        }
        text.push_str("</tr>");
    }
    text.push_str("</table>");
}

fn number_text(text: &mut String, number: &serde_json::Number) {
    let _ = match number.as_f64() {
        Some(real) if number.is_f64() && real.fract() != 0.0 => write!(text, "{real:.4}"),
        Some(real) if number.is_f64() => write!(text, "{real}"),
        _ => write!(text, "{number}"),
    };
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sections_and_lists_become_tables_and_nothing_becomes_markup() {
        let statistics = json!({
            "status": { "enabled": true, "name": "<script>alert(1)</script>", "rate": [2.0, 0.12345] },
            "workers": [{ "model": "a&b", "slots": 3 }, { "model": "c" }],
            "clients": [],
        });
        let page = html("proxy", &statistics);
        for part in [
            "<h2>status</h2>",
            "<th>enabled</th><td>yes</td>",
            "&lt;script&gt;alert(1)&lt;/script&gt;",
            "2 0.1235 ",
            "<tr><th>model</th><th>slots</th></tr><tr><td>a&amp;b</td><td>3</td></tr><tr><td>c</td><td>-</td></tr>",
            "<h2>clients</h2>none",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        assert!(!page.contains("<script") && !page.contains("href"));
    }
}
