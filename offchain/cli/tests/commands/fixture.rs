//! Files of cases that are no text: models, images, logs, quotes.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_attest::simulated::{SimulatedPlatform, simulated_measurements};
use cocoon_image::{BootLine, ROOT_SALT};
use cocoon_manifest::verity::{BLOCK_BYTES, Salt, Superblock, format};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::limit;
use crate::network::program;

/// Puts the fixture `name` into `folder`.
pub(crate) fn put(name: &str, folder: &Path) {
    match name {
        // A model of 820,608 weights.
        "tiny" => cocoon_engine::tiny::write_to(&folder.join("tiny")).unwrap(),
        // The published log of the independent implementation.
        "log" => copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/log"),
            &folder.join("log"),
        ),
        // The same with a byte changed.
        "changed-log" => {
            let log = folder.join("changed-log");
            copy(
                &Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/log"),
                &log,
            );
            flip(&log.join("tile/entries/000"), 100);
        }
        // SIMULATED: a platform with its keys, and a quote of it.
        "quote" => {
            let platform = SimulatedPlatform::generate().unwrap();
            fs::write(folder.join("platform.json"), platform.to_json().unwrap()).unwrap();
            let quote = platform.issue(&simulated_measurements("worker"), &[7; 64]).unwrap();
            fs::write(folder.join("quote.bin"), quote).unwrap();
        }
        "image" => image(folder),
        "release" => release(folder),
        name => panic!("no fixture {name}"),
    }
}

/// A small image, a firmware and the shape of a machine, out of the vectors of `offchain/image`.
fn image(folder: &Path) {
    const BLOCKS: u64 = 20;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../image/tests/vectors/machine.json");
    let vectors: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let bytes = |key: &str| hex::decode(vectors[key].as_str().unwrap()).unwrap();
    let image = folder.join("image");
    fs::create_dir_all(image.join("spec")).unwrap();
    fs::write(
        image.join("spec/guest.toml"),
        "[runner]\nprogram = \"/usr/bin/cocoon\"\n",
    )
    .unwrap();
    fs::write(image.join("kernel"), bytes("kernel")).unwrap();
    fs::write(image.join("initrd"), bytes("initrd")).unwrap();
    let data: Vec<u8> = (0..BLOCKS as usize * BLOCK_BYTES).map(|at| (at / 7) as u8).collect();
    let superblock = Superblock::new([0; 16], Salt::new(&ROOT_SALT).unwrap(), BLOCKS).unwrap();
    let (root, area) = format(&superblock, &data).unwrap();
    fs::write(image.join("root.img"), [data, area].concat()).unwrap();
    let boot = BootLine {
        root_hash: *root.as_bytes(),
        data_blocks: BLOCKS,
        debug: false,
    };
    fs::write(image.join("cmdline"), format!("console=ttyS0 panic=-1 {boot}")).unwrap();
    fs::write(folder.join("firmware"), bytes("firmware")).unwrap();
    fs::write(
        folder.join("shape.toml"),
        vectors["cases"][0]["shape"].as_str().unwrap(),
    )
    .unwrap();
    copy(&image, &folder.join("changed-image"));
    flip(&folder.join("changed-image/root.img"), 77);
}

/// A release of two files, signed in the form of signify, its public key, and the same release with a byte changed.
fn release(folder: &Path) {
    let key = SigningKey::from_bytes(&[42; 32]);
    let release = folder.join("release");
    fs::create_dir_all(release.join("bin")).unwrap();
    fs::write(release.join("bin/cocoon"), "a program").unwrap();
    let program = limit::output(Command::new(program()).args(["version", "--json"]).env_clear());
    let program: Value = serde_json::from_slice(&program.stdout).unwrap();
    let described = json!({ "format": 1, "version": "0.1.0", "commit": "abc", "program": program });
    fs::write(release.join("release.json"), described.to_string()).unwrap();
    let line = |name: &str| {
        let hash = Sha256::digest(fs::read(release.join(name)).unwrap());
        format!("{}  {name}\n", hex::encode(hash))
    };
    let sums: String = ["bin/cocoon", "release.json"].into_iter().map(line).collect();
    fs::write(release.join("SHA256SUMS"), &sums).unwrap();
    let head = [b"Ed".as_slice(), &[7; 8]].concat();
    let signature = key.sign(sums.as_bytes()).to_bytes();
    let comment = "cocoon of a test";
    let over = key
        .sign(&[signature.as_slice(), comment.as_bytes()].concat())
        .to_bytes();
    let signed = format!(
        "untrusted comment: anything\n{}\ntrusted comment: {comment}\n{}\n",
        STANDARD.encode([head.as_slice(), &signature].concat()),
        STANDARD.encode(over)
    );
    fs::write(release.join("SHA256SUMS.minisig"), signed).unwrap();
    let public = STANDARD.encode([head.as_slice(), key.verifying_key().as_bytes()].concat());
    fs::write(folder.join("minisign.pub"), format!("untrusted comment: x\n{public}\n")).unwrap();
    copy(&release, &folder.join("changed-release"));
    flip(&folder.join("changed-release/bin/cocoon"), 3);
}

fn flip(path: &Path, at: usize) {
    let mut content = fs::read(path).unwrap();
    content[at] ^= 1;
    fs::write(path, content).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
