//! The path under which the browser's verifier is built is in a folder of everybody's: only its builder decides what is there.

#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test fails loudly")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder that anybody may write into, as `/tmp` is, and that goes when it is dropped.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cocoon-stand-in-{name}-{}", std::process::id()));
        fs::create_dir(&path).expect("a new folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o1777)).expect("its mode");
        Self(path)
    }

    fn link(&self) -> PathBuf {
        self.0.join("link")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether a link may stand for a clone, and what is said if not.
fn stand_in(clone: &Path, link: &Path) -> Result<(), String> {
    let script = cocoon_repository_tests::root().join("scripts/verifier/stand-in");
    let output = Command::new(script).args([clone, link]).output().expect("bash");
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn a_link_of_ones_own_stands_for_each_clone_in_turn() {
    let place = Place::new("own");
    for clone in ["/first", "/second"] {
        assert_eq!(stand_in(Path::new(clone), &place.link()), Ok(()));
        assert_eq!(fs::read_link(place.link()).expect("a link"), Path::new(clone));
    }
}

#[test]
fn what_is_no_link_is_refused_and_left_as_it_is() {
    let place = Place::new("other");
    fs::create_dir(place.link()).expect("a folder");
    let refused = stand_in(Path::new("/clone"), &place.link()).expect_err("a folder is refused");
    assert!(refused.contains("hint: "), "{refused}");
    let inside = fs::read_dir(place.link()).expect("still a folder").count();
    assert_eq!(inside, 0, "nothing is put into it");
    fs::remove_dir(place.link()).expect("it is empty");
    fs::write(place.link(), "theirs").expect("a file");
    assert!(stand_in(Path::new("/clone"), &place.link()).is_err());
    assert_eq!(fs::read(place.link()).expect("still there"), b"theirs");
}

/// Only root can make a link somebody else's; for others one that root has left stands for it.
#[test]
fn a_link_of_another_user_is_refused_and_left_as_it_is() {
    let place = Place::new("foreign");
    let link = place.link();
    symlink("/theirs", &link).expect("a link");
    let foreign = match lchown(&link, Some(65_534), None) {
        Ok(()) => link,
        // The folder that it is in is not for us to write into: what is refused is the link itself.
        Err(_) => PathBuf::from("/proc/1/cwd"),
    };
    let owner = |path: &Path| fs::symlink_metadata(path).map(|about| (about.uid(), about.ino())).ok();
    let before = owner(&foreign);
    let refused = stand_in(Path::new("/clone"), &foreign).expect_err("it is another user's");
    assert!(refused.contains("no link of yours"), "{refused}");
    assert_eq!(owner(&foreign), before);
}

#[test]
fn a_folder_where_anybody_may_replace_the_link_is_refused() {
    let place = Place::new("open");
    fs::set_permissions(&place.0, fs::Permissions::from_mode(0o777)).expect("its mode");
    let refused = stand_in(Path::new("/clone"), &place.link()).expect_err("others could replace it");
    assert!(refused.contains("chmod +t"), "{refused}");
    assert!(fs::symlink_metadata(place.link()).is_err());
}
