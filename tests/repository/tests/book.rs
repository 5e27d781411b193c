//! The book in `docs/`: every page is in it, every link leads somewhere, every guide runs in CI.

#![expect(clippy::expect_used, reason = "a test fails loudly")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cocoon_repository_tests::{files, root};

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file of this tree is UTF-8")
}

/// Targets of the links of a page; what is code is left out.
fn links(page: &str) -> Vec<String> {
    let mut inside_block = false;
    let mut found = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            inside_block = !inside_block;
        } else if !inside_block {
            // Every second piece between backquotes is code.
            let prose: String = line.split('`').step_by(2).collect();
            let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
            found.extend(targets.map(|(target, _)| target.to_owned()));
        }
    }
    found
}

/// The file that a link means, if it is one of this tree.
fn file_of(link: &str) -> Option<&str> {
    let is_elsewhere = link.contains("://") || link.starts_with("mailto:");
    let path = link.split('#').next().unwrap_or_default();
    (!is_elsewhere && !path.is_empty()).then_some(path)
}

/// The anchors of a page's headings, as readers of Markdown make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let slug = |heading: &str| heading.trim_start_matches('#').trim().to_lowercase();
    headings
        .map(|heading| slug(heading).chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

/// Pages of `docs/` that a text names by their path in the repository.
fn named_pages(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut pieces = source.split("docs/").peekable();
    while let (Some(before), Some(after)) = (pieces.next(), pieces.peek()) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/');
        // Behind a slash it is a path from elsewhere, or of another project.
        if before.ends_with(|c: char| is_name(c) || c == '.') {
            continue;
        }
        let name: String = after.chars().take_while(|c| is_name(*c)).collect();
        if after.starts_with(&format!("{name}.md")) {
            found.push(format!("docs/{name}.md"));
        }
    }
    found
}

#[test]
fn every_page_is_in_the_summary() {
    let docs = root().join("docs");
    let summary = links(&text(&docs.join("SUMMARY.md")));
    let listed: BTreeSet<PathBuf> = summary.iter().map(|link| docs.join(link)).collect();
    for page in files(&docs, &["md"]).expect("tree reads") {
        assert!(
            page.ends_with("SUMMARY.md") || listed.contains(&page),
            "docs/SUMMARY.md does not list {}",
            page.display()
        );
    }
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let root = root();
    let docs = root.join("docs").canonicalize().expect("docs/ is there");
    for page in files(&root, &["md"]).expect("tree reads") {
        let folder = page.parent().expect("a file is in a folder");
        for link in links(&text(&page)) {
            let Some(path) = file_of(&link) else { continue };
            let target = folder.join(path).canonicalize();
            assert!(target.is_ok(), "{}: {link} leads nowhere", page.display());
            if let Some((path, anchor)) = link.split_once(".md#") {
                let there = anchors(&text(&folder.join(format!("{path}.md"))));
                assert!(there.contains(anchor), "{}: {link} names no heading", page.display());
            }
            // What is outside of docs/ is not in the book: name it as code.
            let leaves = page.starts_with(root.join("docs")) && target.is_ok_and(|target| !target.starts_with(&docs));
            assert!(!leaves, "{}: {link} leads out of the book", page.display());
        }
    }
}

#[test]
fn every_page_that_the_code_names_is_there() {
    let root = root();
    for file in files(&root, &["rs", "py", "tolk", "toml"]).expect("tree reads") {
        for page in named_pages(&text(&file)) {
            assert!(root.join(&page).exists(), "{} names {page}", file.display());
        }
    }
}

#[test]
fn the_commands_of_the_guides_run_in_ci() {
    let ci = text(&root().join(".ci/run"));
    for script in ["scripts/ci/docs/run", "scripts/docs/reference.py --check"] {
        assert!(ci.contains(script), ".ci/run does not run {script}");
    }
    for guide in [
        "quick-start",
        "developers",
        "daemons",
        "owning",
        "auditors",
        "governors",
    ] {
        let page = text(&root().join(format!("docs/{guide}.md")));
        assert!(page.contains("```sh\n"), "docs/{guide}.md has no command that runs");
    }
}
