//! `cocoon image measure` and `verify` on a small image: a root of a few blocks, and the firmware and kernel of
//! `offchain/image/tests/vectors`, whose registers a second implementation computed.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use cocoon_image::{BootLine, ROOT_SALT};
use cocoon_manifest::verity::{BLOCK_BYTES, Salt, Superblock, format};
use serde_json::Value;

const BLOCKS: u64 = 200;

fn vectors() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../image/tests/vectors/machine.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Writes an image, a firmware and a shape; the boot line is that of the image's own root.
fn write_image(folder: &Path) {
    let vectors = vectors();
    let bytes = |key: &str| hex::decode(vectors[key].as_str().unwrap()).unwrap();
    let image = folder.join("image");
    fs::create_dir_all(image.join("spec/keys")).unwrap();
    fs::write(
        image.join("spec/guest.toml"),
        "[runner]\nprogram = \"/usr/bin/cocoon\"\n",
    )
    .unwrap();
    fs::write(image.join("spec/keys/one"), "1").unwrap();
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
}

fn cocoon(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cocoon"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn flip(path: &Path, at: usize) {
    let mut content = fs::read(path).unwrap();
    content[at] ^= 1;
    fs::write(path, content).unwrap();
}

const VERIFY: [&str; 10] = [
    "--json",
    "image",
    "verify",
    "image",
    "--expect",
    "image.json",
    "--shape",
    "shape.toml",
    "--firmware",
    "firmware",
];

/// Verifies against the registers of the untouched image.
fn verify(folder: &Path) -> (i32, Vec<String>) {
    let output = cocoon(folder, &VERIFY);
    let differences = json(&output)["differences"].clone();
    (
        output.status.code().unwrap(),
        serde_json::from_value(differences).unwrap(),
    )
}

fn with_registers() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_image(folder.path());
    let measured = cocoon(
        folder.path(),
        &[
            "--json",
            "image",
            "measure",
            "image",
            "--shape",
            "shape.toml",
            "--firmware",
            "firmware",
        ],
    );
    assert!(measured.status.success(), "{measured:?}");
    fs::write(folder.path().join("image.json"), &measured.stdout).unwrap();
    folder
}

#[test]
fn an_image_measures_to_the_registers_of_the_second_implementation() {
    let folder = with_registers();
    let measured: Value = serde_json::from_slice(&fs::read(folder.path().join("image.json")).unwrap()).unwrap();
    let expected = &vectors()["cases"][0];
    assert_eq!(measured["mrtd"], expected["mrtd"]);
    // The boot line and the configuration are this image's own: RTMR2 and RTMR3 are another's.
    for index in [0, 1] {
        assert_eq!(measured["rtmr"][index], expected["rtmr"][index]);
    }
    for index in [2, 3] {
        assert_ne!(measured["rtmr"][index], expected["rtmr"][index]);
    }
    let register = |value: &Value| -> [u8; 48] {
        let bytes = hex::decode(value.as_str().unwrap()).unwrap();
        bytes.try_into().unwrap()
    };
    let image = cocoon_attest::Measurements {
        mrtd: register(&measured["mrtd"]),
        rtmr: [0, 1, 2, 3].map(|index| register(&measured["rtmr"][index])),
        ..cocoon_attest::Measurements::ZERO
    };
    assert_eq!(measured["image_hash"], image.image_hash().to_string());
}

#[test]
fn an_untouched_image_is_verified() {
    let folder = with_registers();
    assert_eq!(verify(folder.path()), (0, vec![]));
}

#[test]
fn a_changed_byte_is_told_by_the_name_of_where_it_is() {
    let tree = BLOCKS as usize * BLOCK_BYTES;
    for (file, at, expected) in [
        ("image/root.img", 77, "the root's hash tree differs at its block 2"),
        ("image/root.img", tree + 9, "the root's superblock differs"),
        (
            "image/root.img",
            tree + 2 * BLOCK_BYTES,
            "the root's hash tree differs at its block 2",
        ),
        ("image/initrd", 3, "RTMR2: initial RAM disk"),
        ("image/kernel", 0x1001, "RTMR1: kernel"),
        ("image/spec/keys/one", 0, "RTMR3: cocoon:spec.tree="),
        ("firmware", 0x2000, "MRTD: the firmware or its page order"),
        ("firmware", 0, "RTMR0: firmware variables"),
    ] {
        let folder = with_registers();
        flip(&folder.path().join(file), at);
        let (code, differences) = verify(folder.path());
        assert_eq!(code, 1, "{file} at {at}");
        assert!(
            differences.len() == 1 && differences[0].starts_with(expected),
            "{file} at {at}: {differences:?}"
        );
    }
}

#[test]
fn a_shorter_root_or_another_root_hash_is_no_image() {
    let folder = with_registers();
    let root = folder.path().join("image/root.img");
    let content = fs::read(&root).unwrap();
    fs::write(&root, &content[..content.len() - BLOCK_BYTES]).unwrap();
    let output = cocoon(folder.path(), &VERIFY);
    assert_eq!(output.status.code(), Some(3));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("root.img") && error.contains("hint: "), "{error}");
}

#[test]
fn a_configuration_that_the_guest_refuses_is_refused_here() {
    let folder = with_registers();
    fs::write(
        folder.path().join("image/spec/guest.toml"),
        "[runner]\nprogram = \"cocoon\"\n",
    )
    .unwrap();
    let output = cocoon(folder.path(), &["image", "verify", "image"]);
    assert_eq!(output.status.code(), Some(3));
    let error = String::from_utf8(output.stderr).unwrap();
    let said = "error: guest.toml: runner.program must be an absolute path\nhint: mend the image's configuration";
    assert!(error.starts_with(said), "{error}");
}

#[test]
fn a_manifest_is_written_and_says_which_field_differs() {
    let folder = with_registers();
    let run = |line: &str| cocoon(folder.path(), &line.split(' ').collect::<Vec<_>>());
    let machine = "--shape shape.toml --firmware firmware";
    let measured = run(&format!(
        "image measure image {machine} --name worker-0.1.0 --manifest image.manifest"
    ));
    assert!(measured.status.success(), "{measured:?}");
    let written = fs::read(folder.path().join("image.manifest")).unwrap();
    let manifest = cocoon_manifest::ImageManifest::parse(&written).unwrap();
    let told = String::from_utf8(measured.stdout).unwrap();
    assert!(told.contains(&manifest.image_hash().to_string()), "{told}");

    let verify = format!("--json image verify image --manifest image.manifest {machine}");
    let verified = run(&verify);
    assert_eq!(verified.status.code(), Some(0), "{}", json(&verified));
    flip(&folder.path().join("image/kernel"), 0x1001);
    let changed = run(&verify);
    assert_eq!(changed.status.code(), Some(1));
    let differences: Vec<String> = serde_json::from_value(json(&changed)["differences"].clone()).unwrap();
    assert_eq!(differences.len(), 2, "{differences:?}");
    assert!(
        differences[0].starts_with("kernel is ") && differences[1].starts_with("rtmr1 is "),
        "{differences:?}"
    );

    let text = String::from_utf8(written)
        .unwrap()
        .replace("worker-0.1.0", "worker 0.1.0");
    fs::write(folder.path().join("image.manifest"), text).unwrap();
    let broken = run(&verify);
    assert_eq!(broken.status.code(), Some(3));
    assert!(String::from_utf8(broken.stderr).unwrap().contains("\nhint: "));
    assert_eq!(
        run("image measure image --shape s --firmware f --manifest m")
            .status
            .code(),
        Some(2)
    );
}
