use super::*;
use proptest::prelude::*;

fn facts() -> ModelFacts {
    ModelFacts {
        architecture: "qwen3".to_owned(),
        precision: "q8".to_owned(),
        engine: "cocoon-engine/0.1.0".to_owned(),
        device: "cpu".to_owned(),
        ranks: 2,
        tokenizer: FileHash::of(b"{}"),
        template: FileHash::of(b"t"),
        tools: Some("hermes".to_owned()),
        reasoning: None,
        sampling: SamplingDefaults {
            temperature: 0.6,
            top_p: 0.95,
            top_k: 20,
            ..SamplingDefaults::default()
        },
    }
}

fn sample() -> ModelManifest {
    let files = vec![
        FileEntry::new("tokenizer.json", 2, FileHash::of(b"{}")).unwrap(),
        FileEntry::new("config.json", 0, FileHash::of(b"")).unwrap(),
    ];
    ModelManifest::new("tiny@1:2".parse().unwrap(), facts(), files).unwrap()
}

#[test]
fn the_canonical_bytes_are_these() {
    let golden = "cocoon-model-manifest 2\n\
        name tiny@1:2\n\
        model b3a95fceae386540bb5b316db9a85c8b2df9ce3911d3705a3243d3683b457189\n\
        architecture qwen3\n\
        precision q8\n\
        engine cocoon-engine/0.1.0\n\
        device cpu\n\
        ranks 2\n\
        tokenizer 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n\
        template e3b98a4da31a127d4bde6e43033f66ba274cab0eb7eb1c70ec41402bf6273dd8\n\
        tools hermes\n\
        reasoning none\n\
        sampling temperature=0.6 top_p=0.95 top_k=20 min_p=0 repetition_penalty=1\n\
        files 5c1ada941c8230ce796304025e408c1d508235977f766641c09a981af7c8b395\n\
        file e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 config.json\n\
        file 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a 2 tokenizer.json\n";
    assert_eq!(String::from_utf8(sample().to_bytes()).unwrap(), golden);
    // This hash and those in the text were computed by Python's hashlib.
    assert_eq!(
        sample().hash().to_string(),
        "c37b7fe882fbb4e9993a34956d9bd871fb24e83ed0235b1fea8e67f924d59afc"
    );
    assert_eq!(ModelManifest::parse(golden.as_bytes()).unwrap(), sample());
}

#[test]
fn any_other_form_of_the_same_facts_is_refused() {
    let text = String::from_utf8(sample().to_bytes()).unwrap();
    let others = [
        text.trim_end().to_owned(),
        format!("{text}\n"),
        text.replace('\n', "\r\n"),
        text.replace(" 2 tokenizer", " 02 tokenizer"),
        text.replace("manifest 2", "manifest 1"),
        text.replace("qwen3", ""),
        text.replace("precision", "Precision"),
        text.replace("e3b0c4", "E3B0C4"),
        text.replace("ranks 2", "ranks +2"),
        text.replace("ranks 2", "ranks 0"),
        text.replace("ranks 2", "ranks 4294967297"),
        text.replace("=0.6 ", "=0.60 "),
        text.replace("=0.6 ", "=NaN "),
        text.replace("=0.6 ", "=inf "),
        text.replace("top_k=20", "top_k=-1"),
        text.replace("penalty=1", "penalty=1 seed=3"),
        text.replace("penalty=1", "penalty=1 "),
        text.replace("name tiny@1:2", "name tiny@1:3"),
        text.replace("tools hermes", "tools "),
        text.lines()
            .filter(|line| !line.starts_with("file "))
            .map(|line| format!("{line}\n"))
            .collect(),
        // Another file under the same root.
        text.replace(" 0 config", " 1 config"),
    ];
    for other in others {
        assert_ne!(other, text);
        assert!(ModelManifest::parse(other.as_bytes()).is_err(), "{other}");
    }
    let mut lines: Vec<&str> = text.lines().collect();
    let last = lines.len() - 1;
    lines.swap(last - 1, last);
    let swapped = format!("{}\n", lines.join("\n"));
    assert_eq!(
        ModelManifest::parse(swapped.as_bytes()),
        Err(ManifestError::Order { index: 1 })
    );
}

#[test]
fn facts_that_would_not_read_back_are_refused() {
    let refused = |change: fn(&mut ModelFacts)| {
        let mut facts = facts();
        change(&mut facts);
        let files = vec![FileEntry::new("a", 0, FileHash::of(b"")).unwrap()];
        ModelManifest::new("tiny".parse().unwrap(), facts, files).unwrap_err()
    };
    let field = |field| ManifestError::Field { field, limit: 255 };
    let engine = refused(|facts| facts.engine = "cocoon-engine/0.1.0 ranks=2".to_owned());
    assert_eq!(engine, field("engine version"));
    assert_eq!(refused(|facts| facts.device = "x".repeat(256)), field("device"));
    assert_eq!(
        refused(|facts| facts.tools = Some("none".to_owned())),
        field("tool parser")
    );
    assert_eq!(
        refused(|facts| facts.reasoning = Some(String::new())),
        field("reasoning parser")
    );
    assert_eq!(
        refused(|facts| facts.sampling.top_p = f32::NAN),
        ManifestError::Sampling
    );
    assert_eq!(refused(|facts| facts.ranks = 0), ManifestError::Ranks { count: 0 });
    assert_eq!(
        refused(|facts| facts.ranks = 1 << 20),
        ManifestError::Ranks { count: 1 << 20 }
    );
}

#[test]
fn the_root_of_the_files_is_theirs_alone() {
    let other = ModelManifest::new(
        "other@3:4".parse().unwrap(),
        ModelFacts { ranks: 1, ..facts() },
        sample().files().to_vec(),
    )
    .unwrap();
    assert_eq!(other.files_root(), sample().files_root());
    assert_ne!(other.hash(), sample().hash());
}

fn word() -> impl Strategy<Value = String> {
    "[!-~é]{1,30}".prop_filter("not the word for nothing", |word| word != NONE)
}

prop_compose! {
    fn any_sampling()(
        numbers in prop::array::uniform4(any::<f32>().prop_filter("finite", |number| number.is_finite())),
        top_k in any::<u32>(),
    ) -> SamplingDefaults {
        let [temperature, top_p, min_p, repetition_penalty] = numbers;
        SamplingDefaults { temperature, top_p, top_k, min_p, repetition_penalty }
    }
}

prop_compose! {
    fn any_facts()(
        words in prop::array::uniform4(word()),
        ranks in 1..=MAX_RANKS,
        hashes in any::<[[u8; 32]; 2]>(),
        tools in prop::option::of(word()),
        reasoning in prop::option::of(word()),
        sampling in any_sampling(),
    ) -> ModelFacts {
        let [architecture, precision, engine, device] = words;
        let [tokenizer, template] = hashes.map(FileHash::new);
        ModelFacts { architecture, precision, engine, device, ranks, tokenizer, template, tools, reasoning, sampling }
    }
}

proptest! {
    #[test]
    fn a_manifest_reads_as_it_was_written(facts in any_facts(), sizes in prop::collection::vec(any::<u64>(), 1..20)) {
        let entry = |(index, size): (usize, &u64)| {
            FileEntry::new(&format!("folder/file {index}"), *size, FileHash::new([index as u8; 32])).unwrap()
        };
        let files = sizes.iter().enumerate().map(entry).collect();
        let manifest = ModelManifest::new("n@c:h".parse().unwrap(), facts, files).unwrap();
        prop_assert_eq!(ModelManifest::parse(&manifest.to_bytes()).unwrap(), manifest);
    }

    #[test]
    fn what_parses_is_canonical(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(manifest) = ModelManifest::parse(&bytes) {
            prop_assert_eq!(manifest.to_bytes(), bytes);
        }
    }

    #[test]
    fn a_change_of_one_byte_changes_or_breaks_the_manifest(at in any::<prop::sample::Index>(), flip in 1u8..) {
        let mut bytes = sample().to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(manifest) = ModelManifest::parse(&bytes) {
            prop_assert_ne!(manifest.hash(), sample().hash());
            prop_assert_eq!(manifest.to_bytes(), bytes);
        }
    }
}
