//! Commands that ask a client send the key that it wants, from a file, and say which option is missing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};

use cocoon_runner::keys::write_secret;

const KEY: &str = "ck-5ec2e7";

/// A client that knows one key, until the test ends; its URL.
fn client() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap());
        }
    });
    url
}

fn answer(stream: TcpStream) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        let headers = lines.iter().filter_map(|line| line.split_once(": "));
        let mut found = headers.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    };
    let length = header("content-length").map_or(0, |length| length.parse().unwrap());
    reader.read_exact(&mut vec![0; length]).unwrap();
    let path = lines
        .first()
        .and_then(|line| line.split(' ').nth(1))
        .unwrap_or_default();
    let (status, body) = match path {
        _ if header("authorization") != Some(&format!("Bearer {KEY}")) => (
            401,
            r#"{"error":{"message":"This client needs an API key.","code":"invalid_api_key"}}"#,
        ),
        "/v1/models" => (200, r#"{"data":[{"id":"tiny"}]}"#),
        "/v1/chat/completions" => (
            200,
            "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        ),
        "/v1/cocoon/quote" => (200, r#"{"id":"ab","model":"tiny"}"#),
        "/v1/cocoon/claims" => (200, "[]"),
        _ => (404, "{}"),
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // Whoever has gone needs no answer.
    let _ = reader.get_mut().write_all(format!("{head}{body}").as_bytes());
}

fn run(folder: &Path, arguments: &[&str], url: &str, variable: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cocoon"));
    command
        .args(arguments)
        .args(["--url", url])
        .current_dir(folder)
        .env_clear();
    command.envs(variable.map(|file| ("COCOON_API_KEY_FILE", file)));
    command.output().unwrap()
}

#[test]
fn commands_that_ask_a_client_send_its_key_and_name_the_option_where_it_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    write_secret(&folder.path().join("laptop.key"), KEY.as_bytes()).unwrap();
    write_secret(&folder.path().join("old.key"), b"ck-01d").unwrap();
    let url = client();
    for arguments in [&["chat", "Hello"][..], &["quote"], &["client", "claims"]] {
        let with = |more: &[&str], variable| {
            let output = run(folder.path(), &[arguments, more].concat(), &url, variable);
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8(said).unwrap();
            assert!(!said.contains("5ec2e7") && !said.contains("01d"), "{said}");
            (output.status.code(), said)
        };
        for refused in [with(&[], None), with(&["--api-key-file", "old.key"], None)] {
            assert_eq!(refused.0, Some(5), "{}", refused.1);
            let hint = refused.1.lines().find(|line| line.starts_with("hint: ")).unwrap();
            assert!(
                hint.contains("--api-key-file") && hint.contains("COCOON_API_KEY_FILE"),
                "{hint}"
            );
        }
        for done in [
            with(&["--api-key-file", "laptop.key"], None),
            with(&[], Some("laptop.key")),
        ] {
            assert_eq!(done.0, Some(0), "{}", done.1);
        }
        assert_eq!(with(&["--api-key-file", "nowhere.key"], None).0, Some(3));
    }
}

#[test]
#[cfg(unix)]
fn a_key_that_others_can_read_is_not_sent() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("open.key");
    write_secret(&path, KEY.as_bytes()).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = run(
        folder.path(),
        &["chat", "Hello", "--api-key-file", "open.key"],
        &client(),
        None,
    );
    assert_eq!(refused.status.code(), Some(3));
}
