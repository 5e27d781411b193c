//! What is shown of configurations.

use super::*;

const WORKER: &str = "\
owner = \"0:0000000000000000000000000000000000000000000000000000000000000001\"
data_dir = \"data\"

[chain]
url = \"https://chain.example/api\"
root = \"0:0000000000000000000000000000000000000000000000000000000000000002\"

[[models]]
name = \"cocoon/tiny\"
coefficient = 900
backend = { kind = \"engine\", folder = \"tiny\" }
";

fn shown(role: Role, text: &str) -> (Shown, std::path::PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("runner.toml");
    std::fs::write(&file, text).unwrap();
    let (effective, given) = read(role, &file).unwrap();
    (describe(role, &file, &effective, &given), file, folder)
}

fn of<'a>(shown: &'a Shown, key: &str) -> (&'a Option<Value>, Origin) {
    let found = shown.settings.iter().find(|setting| setting.key == key);
    let setting = found.unwrap_or_else(|| panic!("{key} is not shown"));
    (&setting.value, setting.from)
}

#[test]
fn each_key_says_whether_the_file_or_a_default_set_it() {
    let (shown, _, folder) = shown(Role::Worker, WORKER);
    assert_eq!(of(&shown, "models.0.coefficient"), (&Some(900.into()), Origin::File));
    assert_eq!(of(&shown, "proxy_connections").1, Origin::Default);
    assert_eq!(
        of(&shown, "models.0.backend.verify_name"),
        (&Some(false.into()), Origin::Default)
    );
    assert_eq!(of(&shown, "models.0.backend.weight_format"), (&None, Origin::Unset));
    assert_eq!(of(&shown, "payout"), (&None, Origin::Unset));
    assert_eq!(
        of(&shown, "attestation.require_session_proof"),
        (&Some(false.into()), Origin::Default)
    );
    assert_eq!(of(&shown, "attestation.gpu"), (&Some("off".into()), Origin::Default));
    assert_eq!(
        of(&shown, "attestation.evidence"),
        (&Some("auto".into()), Origin::Default)
    );
    let socket = folder.path().join("data/admin.sock");
    let socket = Value::from(socket.display().to_string());
    assert_eq!(of(&shown, "admin.socket"), (&Some(socket), Origin::Default));
}

#[test]
fn what_is_written_out_is_the_files_also_where_it_is_the_default() {
    let written = "\
[attestation]
evidence = \"auto\"
gpu = \"off\"
require_session_proof = false
[attestation.collateral_service]
url = \"https://user:pa55@collateral.example/v4?api_key=k3y\"
plain_http = false
fmspc = []
";
    let text = WORKER.replace("[[models]]", &format!("{written}\n[[models]]"));
    let (shown, _, _folder) = shown(Role::Worker, &text);
    for (key, value) in [
        ("evidence", Value::from("auto")),
        ("gpu", "off".into()),
        ("require_session_proof", false.into()),
        ("collateral_service.plain_http", false.into()),
        ("collateral_service.fmspc", Value::Array(Vec::new())),
    ] {
        let key = format!("attestation.{key}");
        assert_eq!(of(&shown, &key), (&Some(value), Origin::File), "{key}");
    }
    assert!(
        !shown.text.contains("pa55") && !shown.text.contains("k3y"),
        "{}",
        shown.text
    );
}

#[test]
fn a_url_with_a_password_is_refused_as_by_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("worker.toml");
    let text = WORKER.replace("https://chain", "https://user:pa55@chain");
    std::fs::write(&file, text).unwrap();
    let refused = read(Role::Worker, &file).unwrap_err();
    assert_eq!(refused.exit(), Exit::Configuration);
}

#[test]
fn what_is_shown_is_a_configuration_that_means_the_same() {
    let (first, file, _folder) = shown(Role::Worker, WORKER);
    std::fs::write(&file, &first.text).unwrap();
    let (effective, given) = read(Role::Worker, &file).unwrap();
    let again = describe(Role::Worker, &file, &effective, &given);
    let values = |shown: &Shown| -> Vec<(String, Option<Value>)> {
        let settings = shown.settings.iter();
        settings
            .map(|setting| (setting.key.clone(), setting.value.clone()))
            .collect()
    };
    assert_eq!(values(&first), values(&again));
    assert!(again.settings.iter().all(|setting| setting.from != Origin::Default));
}

#[test]
fn tables_that_are_all_defaults_are_shown_too() {
    let text = "\
store_dir = \"store\"
contract_key_file = \"proxy.key\"
[chain]
url = \"http://127.0.0.1:1\"
root = \"0:00\"
[wallet]
key_file = \"wallet.key\"
owner = \"0:00\"
";
    let (shown, _, folder) = shown(Role::Proxy, text);
    assert_eq!(of(&shown, "challenge.restore"), (&Some(10.into()), Origin::Default));
    assert_eq!(of(&shown, "log.folder"), (&None, Origin::Unset));
    assert_eq!(of(&shown, "timers.drain"), (&Some(30.0.into()), Origin::Default));
    // A path, not what is in the file.
    let key = folder.path().join("proxy.key").display().to_string();
    assert_eq!(of(&shown, "contract_key_file"), (&Some(key.into()), Origin::File));
}
