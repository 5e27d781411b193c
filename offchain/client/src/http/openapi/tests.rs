//! The document, the routes and the copy in the book say the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Files whose routes are those of the client's port: its own, and those of crates that it serves. What is only on the administration
/// socket is no part of it.
fn sources() -> Vec<PathBuf> {
    let mut found = vec![root().join("../runner/src/report.rs")];
    let served = ["../explorer/src", "../page/src"].map(|folder| root().join(folder));
    let mut folders: Vec<PathBuf> = served.into_iter().filter(|folder| folder.is_dir()).collect();
    folders.push(root().join("src"));
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_admin = path.ends_with("http/contract.rs");
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs")
                && !is_admin
                && !path.ends_with("openapi/tests.rs")
            {
                found.push(path);
            }
        }
    }
    found
}

/// Method and path of each route that a source makes.
fn routes(source: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(source).unwrap();
    let calls = text.split(".route(").skip(1);
    let route = |call: &str| {
        let written = call
            .trim_start()
            .strip_prefix('"')
            .and_then(|rest| rest.split_once('"'));
        let (path, rest) = written.unwrap_or_else(|| panic!("{}: a path that is not written out", source.display()));
        let methods = ["get", "post", "put", "delete", "patch"];
        let places = methods
            .iter()
            .filter_map(|method| Some((rest.find(&format!("{method}("))?, *method)));
        let (_, method) = places.min().unwrap();
        (method.to_owned(), path.to_owned())
    };
    calls.map(route).collect()
}

#[test]
fn every_route_is_in_the_document_and_every_operation_is_routed() {
    let routed: BTreeSet<_> = sources().iter().flat_map(|source| routes(source)).collect();
    let documented: BTreeSet<_> = ALL
        .iter()
        .map(|operation| (operation.method.to_owned(), operation.path.to_owned()))
        .collect();
    let missing: Vec<_> = routed.difference(&documented).collect();
    assert!(missing.is_empty(), "not in openapi/operations.rs: {missing:?}");
    let gone: Vec<_> = documented.difference(&routed).collect();
    assert!(gone.is_empty(), "not routed: {gone:?}");
    assert!(routed.len() > 15, "{routed:?}");
}

#[test]
fn operations_have_names_of_their_own_and_refer_to_what_is_there() {
    let document = document();
    let ids: BTreeSet<_> = ALL.iter().map(|operation| operation.id).collect();
    assert_eq!(ids.len(), ALL.len());
    let mut refers = Vec::new();
    let mut places = vec![&document];
    while let Some(place) = places.pop() {
        match place {
            Value::Object(members) => {
                refers.extend(members.get("$ref").and_then(Value::as_str));
                places.extend(members.values());
            }
            Value::Array(list) => places.extend(list),
            _ => {}
        }
    }
    assert!(refers.len() > 50);
    for reference in refers {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

/// With `UPDATE_OPENAPI=1` it writes the copy instead.
#[test]
fn the_copy_in_the_book_is_the_document() {
    let copy = root().join("../../docs/reference/openapi.json");
    let mut text = serde_json::to_string_pretty(&document()).unwrap();
    text.push('\n');
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&copy, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&copy).unwrap_or_default();
    assert!(
        kept == text,
        "docs/reference/openapi.json is not what the client serves: run this test with UPDATE_OPENAPI=1"
    );
}
