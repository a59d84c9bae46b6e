use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use windlass::stack::{Checkout, Manifest, Snapshot};
use windlass_model::{Digest, Files};

/// A git root with a stack in `app` and a module beside it.
fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for path in [".git", "app/net/.terraform", "modules/vpc"] {
        fs::create_dir_all(at(path)).unwrap();
    }
    for (path, content) in [
        ("app/main.stack.hcl", "stack"),
        ("app/net/main.tf", "main"),
        ("app/net/run.sh", "#!/bin/sh"),
        ("app/net/terraform.tfstate", "{}"),
        ("app/net/terraform.tfstate.backup", "{}"),
        ("app/net/.terraform/x", "x"),
        ("app/net/.terraform.lock.hcl", "lock"),
        ("modules/vpc/main.tf", "vpc"),
    ] {
        fs::write(at(path), content).unwrap();
    }
    fs::set_permissions(at("app/net/run.sh"), fs::Permissions::from_mode(0o700)).unwrap();
    dir
}

fn open(dir: &tempfile::TempDir) -> Checkout {
    Checkout::open(&dir.path().join("app")).unwrap()
}

fn snapshot_of(checkout: &Checkout) -> Snapshot {
    let noted = checkout.noted();
    let contents = noted.iter().map(|file| (Digest::of(&file.content), file.content.clone())).collect();
    Snapshot::new(Manifest::of(checkout.stack_dir(), &noted), contents, None)
}

#[test]
fn the_tree_is_that_of_git_and_only_what_is_read_is_noted() {
    let dir = tree();
    let checkout = open(&dir);
    assert_eq!(checkout.stack_dir(), "app");
    assert_eq!(checkout.checkout().unwrap(), dir.path().canonicalize().unwrap().join("app"));
    let listed = checkout.list("app/net").unwrap();
    assert_eq!(listed, ["app/net/.terraform.lock.hcl", "app/net/main.tf", "app/net/run.sh"]);
    assert_eq!(checkout.entries("app").unwrap(), ["app/main.stack.hcl", "app/net"]);
    assert!(checkout.noted().is_empty(), "listing notes nothing");
    assert_eq!(&*checkout.read("modules/vpc/main.tf").unwrap(), b"vpc");
    fs::write(dir.path().join("modules/vpc/main.tf"), "changed").unwrap();
    assert_eq!(&*checkout.read("modules/vpc/main.tf").unwrap(), b"vpc", "read once");
    checkout.digest(&listed).unwrap();
    let noted: Vec<(String, u32)> = checkout.noted().into_iter().map(|file| (file.path, file.mode)).collect();
    let expected = [
        ("app/net/.terraform.lock.hcl", 0o644),
        ("app/net/main.tf", 0o644),
        ("app/net/run.sh", 0o755),
        ("modules/vpc/main.tf", 0o644),
    ];
    assert_eq!(noted, expected.map(|(path, mode)| (path.to_owned(), mode)));
    let alone = tempfile::tempdir().unwrap();
    assert_eq!(Checkout::open(alone.path()).unwrap().stack_dir(), "");
    assert!(Checkout::open(&alone.path().join("nowhere")).unwrap_err().absent);
}

#[test]
fn a_snapshot_is_the_same_files() {
    let dir = tree();
    let checkout = open(&dir);
    let paths = checkout.list("app/net").unwrap();
    let digest = checkout.digest(&paths).unwrap();
    let snapshot = snapshot_of(&checkout);
    assert_eq!(snapshot.list("app/net").unwrap(), paths);
    assert_eq!(snapshot.digest(&paths).unwrap(), digest);
    let reversed: Vec<String> = paths.iter().rev().cloned().collect();
    assert_eq!(snapshot.digest(&reversed).unwrap(), digest, "the order says nothing");
    for (files, name) in [(&checkout as &dyn Files, "a"), (&snapshot, "b")] {
        assert_eq!(files.materialise(&paths, &dir.path().join(name)).unwrap(), digest);
        let out = dir.path().join(name).join("app/net/run.sh");
        assert_eq!(fs::read(&out).unwrap(), b"#!/bin/sh");
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o755);
        let above = out.parent().unwrap().parent().unwrap();
        assert_eq!(fs::metadata(above).unwrap().permissions().mode() & 0o777, 0o700);
    }
    let error = snapshot.read("modules/vpc/main.tf").unwrap_err();
    assert!(error.absent && error.reason.contains("not in the plan's snapshot"), "{error}");
    assert!(snapshot.list("modules").unwrap_err().absent);
    let manifest = Manifest::of("app", &checkout.noted());
    let text = serde_json::to_string(&manifest).unwrap();
    assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest);
    let lost = Snapshot::new(manifest, BTreeMap::new(), None);
    assert!(lost.read(&paths[0]).unwrap_err().reason.contains("missing from the plan's snapshot"));
}

#[test]
fn a_mode_or_content_or_name_changes_the_digest() {
    let dir = tree();
    let paths = ["app/net/main.tf".to_owned()];
    let before = open(&dir).digest(&paths).unwrap();
    let file = dir.path().join("app/net/main.tf");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(open(&dir).digest(&paths).unwrap(), before, "who may read it says nothing");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
    assert_ne!(open(&dir).digest(&paths).unwrap(), before);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&file, "Main").unwrap();
    assert_ne!(open(&dir).digest(&paths).unwrap(), before);
}

#[test]
fn only_what_differs_is_written() {
    let dir = tree();
    let checkout = open(&dir);
    let paths = checkout.list("app/net").unwrap();
    let to = dir.path().join("work");
    checkout.materialise(&paths, &to).unwrap();
    let (same, other) = (to.join("app/net/main.tf"), to.join("app/net/run.sh"));
    let before = fs::metadata(&same).unwrap().modified().unwrap();
    fs::write(&other, "overwritten by a tool").unwrap();
    fs::write(to.join("app/net/tool"), "left by a tool").unwrap();
    let outside = dir.path().join("outside");
    fs::write(&outside, "untouched").unwrap();
    let lock = to.join("app/net/.terraform.lock.hcl");
    fs::remove_file(&lock).unwrap();
    symlink(&outside, &lock).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    checkout.materialise(&paths, &to).unwrap();
    assert_eq!(fs::metadata(&same).unwrap().modified().unwrap(), before);
    assert_eq!(fs::read(&other).unwrap(), b"#!/bin/sh");
    assert_eq!(fs::read(&lock).unwrap(), b"lock");
    assert_eq!(fs::read(&outside).unwrap(), b"untouched");
    assert!(to.join("app/net/tool").exists(), "what is left there is the caller's business");
    fs::remove_file(&same).unwrap();
    fs::create_dir(&same).unwrap();
    let error = checkout.materialise(&paths, &to).unwrap_err();
    assert_eq!(error.path, "app/net/main.tf");
}

#[test]
fn links_stay_in_the_tree() {
    let dir = tree();
    let at = |path: &str| dir.path().join(path);
    symlink("../../modules/vpc", at("app/net/vpc")).unwrap();
    symlink("main.tf", at("app/net/again.tf")).unwrap();
    let listed = open(&dir).list("app/net").unwrap();
    assert!(listed.contains(&"app/net/vpc/main.tf".to_owned()), "{listed:?}");
    assert_eq!(&*open(&dir).read("app/net/again.tf").unwrap(), b"main");
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "s").unwrap();
    symlink(outside.path().join("secret"), at("app/net/out")).unwrap();
    for error in [open(&dir).read("app/net/out").unwrap_err(), open(&dir).list("app/net").unwrap_err()] {
        assert_eq!(error.path, "app/net/out");
        assert!(error.reason.contains("leaves the tree"), "{error}");
    }
    fs::remove_file(at("app/net/out")).unwrap();
    symlink("..", at("app/net/up")).unwrap();
    let error = open(&dir).list("app").unwrap_err();
    assert!(error.reason.contains("a directory that it is in"), "{error}");
    for path in ["../x", "/etc/passwd", "app/../../x", "", "app//net"] {
        assert!(open(&dir).read(path).is_err(), "{path}");
    }
}

#[test]
fn what_is_no_file_is_told() {
    let dir = tree();
    let at = |path: &str| dir.path().join(path);
    let reason = |path: &str| open(&dir).read(path).unwrap_err();
    assert_eq!(reason("app/net").reason, "is a directory, and a file is needed");
    let absent = reason("app/nothing");
    assert!(absent.absent && absent.reason.contains("does not exist"), "{absent}");
    symlink("gone", at("app/dangling")).unwrap();
    let dangling = reason("app/dangling");
    assert!(!dangling.absent && dangling.reason.contains("`gone`"), "{dangling}");
    let status = std::process::Command::new("mkfifo").arg(at("app/pipe")).status().unwrap();
    assert!(status.success());
    assert_eq!(reason("app/pipe").reason, "is not a regular file");
    assert!(Checkout::open(Path::new(&at("app/main.stack.hcl"))).is_err());
}

#[test]
fn a_snapshot_that_is_too_large_names_its_biggest_file() {
    let dir = tree();
    fs::write(dir.path().join("app/net/big.bin"), vec![0; 3_000_000]).unwrap();
    let checkout = open(&dir).with_limit(3_000_010);
    let paths = checkout.list("app/net").unwrap();
    let error = checkout.digest(&paths).unwrap_err();
    assert!(error.reason.contains("would be over 3 MB"), "{error}");
    assert!(error.reason.contains("`app/net/big.bin` (3 MB)"), "{error}");
    let checkout = open(&dir).with_limit(10);
    assert!(checkout.read("app/net/main.tf").is_ok());
    assert!(checkout.read("app/net/main.tf").is_ok(), "what is noted costs nothing more");
    assert!(checkout.read("app/net/run.sh").is_err());
}
