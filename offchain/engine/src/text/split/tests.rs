//! Whole answers and the same answers in pieces.

use super::*;
use proptest::prelude::*;

/// Everything that an answer holds, with the arguments of each call put together.
fn split(mut splitter: Splitter, pieces: &[&str]) -> (String, String, Vec<(String, String)>) {
    let (mut reasoning, mut text) = (String::new(), String::new());
    let mut calls: Vec<(String, String)> = Vec::new();
    let mut take = |parts: Parts| {
        reasoning += &parts.reasoning;
        text += &parts.text;
        for delta in parts.calls {
            match delta.name {
                Some(name) => {
                    assert_eq!(delta.index, calls.len());
                    calls.push((name, delta.arguments));
                }
                None => calls[delta.index].1 += &delta.arguments,
            }
        }
    };
    for piece in pieces {
        take(splitter.push(piece));
    }
    take(splitter.finish());
    (reasoning, text, calls)
}

fn owned(reasoning: &str, text: &str, calls: &[(&str, &str)]) -> (String, String, Vec<(String, String)>) {
    let calls = calls
        .iter()
        .map(|(name, arguments)| ((*name).to_owned(), (*arguments).to_owned()));
    (reasoning.to_owned(), text.to_owned(), calls.collect())
}

type Case = (
    Option<ToolFormat>,
    bool,
    &'static str,
    (String, String, Vec<(String, String)>),
);

fn cases() -> Vec<Case> {
    use ToolFormat::{Harmony, Hermes, Llama, Mistral, Qwen3Coder};
    let a = r#"{"a": 1}"#;
    vec![
        (
            None,
            false,
            "<think>\nwhy\n</think>\n\nbecause ",
            owned("why", "because ", &[]),
        ),
        (None, true, "why\n</think>\nso <think>", owned("why", "so <think>", &[])),
        (None, true, "not over ", owned("not over", "", &[])),
        (None, false, "  plain </think>", owned("", "plain </think>", &[])),
        (None, false, "<thin", owned("", "<thin", &[])),
        (
            Some(Hermes),
            false,
            "<think>x</think>Let me see.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>\n\
             <tool_call>\n{\"name\": \"g\"}\n</tool_call>",
            owned("x", "Let me see.", &[("f", a), ("g", "{}")]),
        ),
        (Some(Hermes), false, "no <tool_ call", owned("", "no <tool_ call", &[])),
        (
            Some(Hermes),
            false,
            "<tool_call>\nnothing\n</tool_call>",
            owned("", "nothing\n</tool_call>", &[]),
        ),
        (
            Some(Hermes),
            false,
            "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\"",
            owned("", "", &[("f", "{\"a\"")]),
        ),
        (
            Some(Llama),
            false,
            "{\"name\": \"f\", \"parameters\": {\"a\": 1}}; {\"name\": \"g\", \"parameters\": {}}",
            owned("", "", &[("f", a), ("g", "{}")]),
        ),
        (
            Some(Llama),
            false,
            "<|python_tag|>{\"name\": \"f\", \"parameters\": {\"a\": 1}}",
            owned("", "", &[("f", a)]),
        ),
        (
            Some(Llama),
            false,
            "{\"x\": 1} is JSON",
            owned("", "{\"x\": 1} is JSON", &[]),
        ),
        (
            Some(Llama),
            false,
            "a {\"name\": \"f\"}",
            owned("", "a {\"name\": \"f\"}", &[]),
        ),
        (
            Some(Mistral),
            false,
            "[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"a\": 1}}, {\"name\": \"g\", \"arguments\": {}}]",
            owned("", "", &[("f", a), ("g", "{}")]),
        ),
        // As the model's own template writes calls.
        (
            Some(Qwen3Coder),
            false,
            "I look.\n\n<tool_call>\n<function=read_file>\n<parameter=path>\nsrc/lib.rs\n</parameter>\n</function>\n\
             </tool_call>\n<tool_call>\n<function=list>\n</function>\n</tool_call>",
            owned(
                "",
                "I look.",
                &[("read_file", r#"{"path": "src/lib.rs"}"#), ("list", "{}")],
            ),
        ),
        (
            Some(Qwen3Coder),
            true,
            "why</think><tool_call>\n<function=f>\n<parameter=a>\n1 < 2\nend",
            owned("why", "", &[("f", r#"{"a": "1 < 2\nend"#)]),
        ),
        (
            Some(Qwen3Coder),
            false,
            "<tool_call>\nnot a call",
            owned("", "not a call", &[]),
        ),
        // The examples of the format's description: an answer, a call, words before calls.
        (
            Some(Harmony),
            false,
            "<|channel|>analysis<|message|>User asks 2 + 2. Simple.<|end|><|start|>assistant<|channel|>final<|message|>\
             2 + 2 = 4.",
            owned("User asks 2 + 2. Simple.", "2 + 2 = 4.", &[]),
        ),
        (
            Some(Harmony),
            false,
            "<|channel|>analysis<|message|>Need the weather.<|end|><|start|>assistant<|channel|>commentary \
             to=functions.get_weather <|constrain|>json<|message|>{\"location\":\"Tokyo\"}",
            owned("Need the weather.", "", &[("get_weather", r#"{"location":"Tokyo"}"#)]),
        ),
        (
            Some(Harmony),
            false,
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary<|message|>**Plan**: look.\
             <|end|><|start|>assistant to=functions.f<|channel|>commentary json<|message|><|call|><|start|>assistant\
             <|channel|>analysis<|message|>b<|end|><|start|>assistant<|channel|>final<|message|>Done <|x.<|return|>",
            owned("a\n\nb", "**Plan**: look.\n\nDone <|x.", &[("f", "{}")]),
        ),
        (Some(Harmony), false, "{\"plain\": 1}", owned("", "{\"plain\": 1}", &[])),
        (
            Some(Harmony),
            false,
            "<|channel|>analysis<|message|>not over<|en",
            owned("not over<|en", "", &[]),
        ),
        (
            Some(Harmony),
            false,
            "<|channel|>final<|message|>no end<|start|>assistant<|channel|>commentary to=python code<|message|>1",
            owned("", "no end", &[("python", "1")]),
        ),
    ]
}

#[test]
fn answers_are_taken_apart() {
    for (tools, is_open, answer, expected) in cases() {
        assert_eq!(
            split(Splitter::new(true, is_open, tools), &[answer]),
            expected,
            "{answer}"
        );
    }
}

#[test]
fn without_splitting_of_reasoning_the_marks_stay() {
    let found = split(Splitter::new(false, true, None), &["<think>a</think>b"]);
    assert_eq!(found, owned("", "<think>a</think>b", &[]));
}

#[test]
fn a_call_is_told_while_it_is_written() {
    let tools =
        serde_json::json!([{"function": {"name": "f", "parameters": {"properties": {"n": {"type": "integer"}}}}}]);
    let mut splitter = Splitter::new(false, false, Some(ToolFormat::Qwen3Coder)).with_tools(Some(&tools));
    let mut pieces = Vec::new();
    for piece in [
        "<tool_call>\n<function=f>\n<parameter=t",
        "ext>\nsome",
        " words\n</parameter>\n<parameter=n>\n4",
        "2\n</parameter>\n</function>\n",
    ] {
        let calls = splitter.push(piece).calls;
        pieces.push(
            calls
                .into_iter()
                .map(|call| (call.name, call.arguments))
                .collect::<Vec<_>>(),
        );
    }
    let more = |text: &str| vec![(None, text.to_owned())];
    assert_eq!(pieces[0], [(Some("f".to_owned()), String::new())]);
    assert_eq!(pieces[1], more("{\"text\": \"some"));
    assert_eq!(pieces[2], more(" words\", \"n\": "));
    assert_eq!(pieces[3], more("42}"));

    let mut splitter = Splitter::new(true, false, Some(ToolFormat::Harmony));
    let header = "<|channel|>commentary to=functions.f <|constrain|>json<|message|>";
    assert_eq!(splitter.push(header).calls[0].name.as_deref(), Some("f"));
    assert_eq!(splitter.push("{\"a\"").calls[0].arguments, "{\"a\"");
    assert_eq!(splitter.push(": 1}<|ca").calls[0].arguments, ": 1}");
    assert!(splitter.push("ll|>") == Parts::default());
}

#[test]
fn text_is_not_held_back_longer_than_needed() {
    let mut splitter = Splitter::new(true, false, Some(ToolFormat::Hermes));
    assert_eq!(splitter.push("one ").text, "one");
    assert_eq!(splitter.push("two <").text, " two");
    assert_eq!(splitter.push("3").text, " <3");
}

proptest! {
    #[test]
    fn pieces_make_no_difference(which in 0..cases().len(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let (tools, is_open, answer, expected) = cases().swap_remove(which);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(answer.len() + 1)).collect();
        cuts.extend([0, answer.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&str> = cuts.windows(2).map(|pair| &answer[pair[0]..pair[1]]).collect();
        prop_assert_eq!(split(Splitter::new(true, is_open, tools), &pieces), expected);
    }

    #[test]
    fn any_text_is_taken(
        pieces in prop::collection::vec("(<think>|</think>|<tool_call>|<function=f>|<parameter=a>|</parameter>|</function>|\
            <\\|start\\|>|<\\|channel\\|>|<\\|message\\|>|<\\|end\\|>|<\\|call\\|>|analysis| to=f|\\{\"name\": \"f\"|\\[TOOL_CALLS\\]|[\\[\\]{}\",:; a\u{e9}\n]{0,6})", 0..12),
        format in prop::option::of(prop::sample::select(vec![
            ToolFormat::Hermes, ToolFormat::Llama, ToolFormat::Mistral, ToolFormat::Qwen3Coder, ToolFormat::Harmony,
        ])),
    ) {
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let whole = pieces.concat();
        let one = split(Splitter::new(true, false, format), &[&whole]);
        prop_assert_eq!(split(Splitter::new(true, false, format), &pieces), one);
    }
}
