use std::time::{Duration, Instant};

use windlass::stack::{Loaded, load};

use crate::{catalog, snapshot};

/// Loads hostile bytes on the stack of a small thread; it must be told of, and in no time even in a debug build.
fn hostile(bytes: Vec<u8>) -> Loaded {
    let work = move || {
        let begun = Instant::now();
        let loaded = load(&snapshot(&[("main.stack.hcl", &bytes)]), &catalog());
        (loaded, begun.elapsed())
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap();
    let (loaded, took) = thread.join().unwrap();
    assert!(took < Duration::from_secs(if cfg!(debug_assertions) { 60 } else { 1 }), "{took:?}");
    loaded
}

fn title(source: impl Into<Vec<u8>>) -> String {
    let loaded = hostile(source.into());
    assert!(loaded.has_errors());
    loaded.diagnostics[0].title.clone()
}

#[test]
fn deep_nesting() {
    for (open, close) in
        [("[", "]"), ("(", ")"), ("{ a = ", "}"), ("\"${", "}\""), ("!", ""), ("-", ""), ("f(", ")")]
    {
        for depth in [65, 70, 100, 10_000] {
            let source = format!("locals {{\n  x = {}1{}\n}}\n", open.repeat(depth), close.repeat(depth));
            let title = title(source);
            assert!(title.starts_with("nested too deep"), "{open} {depth}: {title}");
        }
    }
    let blocks = format!("{}{}", "a {\n".repeat(70), "}\n".repeat(70));
    assert!(title(blocks).starts_with("nested too deep"));
    assert!(title(format!("locals {{\n  x = {}1\n}}", "1 + ".repeat(100_000))).contains("operators"));
    assert!(
        title(format!("locals {{\n  x = {}1\n}}", "true ? 1 : ".repeat(10_000)))
            .starts_with("nested too deep")
    );
    assert!(title(format!("locals {{\n  x = a{}\n}}", ".b".repeat(100_000))).contains("chain"));
    assert!(title(format!("locals {{\n  x = a{}\n}}", "[0]".repeat(100_000))).contains("chain"));
}

#[test]
fn deep_nesting_just_within_the_limit_is_right() {
    let source = format!("locals {{\n  x = {}1{}\n}}\n", "[".repeat(60), "]".repeat(60));
    let loaded = hostile(source.into());
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
}

#[test]
fn wide_things() {
    let keys: String = (0..16_000).map(|i| format!("    k{i} = {i}\n")).collect();
    assert_eq!(title(format!("locals {{\n  x = {{\n{keys}  }}\n}}\n")), "an object of more than 4000 keys");
    let locals: String = (0..50_000).map(|i| format!("  l{i} = local.l{}\n", i + 1)).collect();
    assert!(title(format!("locals {{\n{locals}}}\n")).starts_with("unknown local"));
    let wrong: String = (0..20_000)
        .map(|i| format!("resource \"local_data\" \"r{i}\" {{\n  inptu = local_data.x{i}\n}}\n"))
        .collect();
    let loaded = hostile(wrong.into());
    assert!(loaded.diagnostics.len() <= 201);
    assert!(loaded.diagnostics.last().unwrap().title.ends_with("more problems are not shown"));
    let same = "variable \"a\" {}\n".repeat(20_000);
    assert!(title(same).starts_with("variable `a` stands twice"));
    let list = "1, ".repeat(200_000);
    assert!(hostile(format!("locals {{\n  x = [{list}]\n}}\n").into()).diagnostics.is_empty());
}

#[test]
fn what_is_no_text() {
    assert_eq!(title(b"locals {\n  x = \"\0\"\n}".to_vec()), "a NUL byte in a stack file");
    assert_eq!(title(b"locals {\n  x = \"\xc3\x28\"\n}".to_vec()), "the file is not valid UTF-8");
    assert!(title(vec![b'#'; 33 << 20]).contains("too large"));
}

#[test]
fn what_does_not_end() {
    assert_eq!(title("locals {\n  x = \"abc\n}\n"), "a string that does not end on its line");
    assert_eq!(title("locals {\n  x = \"${ a\n"), "a template that is not closed");
    assert!(title("locals {\n  x = <<EOT\nabc\n}\n").starts_with("a heredoc that does not end"));
    assert_eq!(title("locals {\n  x = 1\n"), "a block that is not closed");
    assert_eq!(title("/*"), "a comment that does not end");
}

#[test]
fn numbers_of_any_size() {
    for number in ["1e999999999", "1e-999999999", &"9".repeat(100_000), "0.000000000000000000000000001"] {
        for place in [
            "locals {\n  x = N + N\n}",
            "resource \"local_data\" \"a\" {\n  refresh_after = N\n  input = N\n}",
            "variable \"n\" {\n  type = string\n  default = N\n}",
            "resource \"local_file\" \"a\" {\n  path = N\n  mode = -N\n}",
        ] {
            drop(hostile(place.replace('N', number).into()));
        }
    }
}
