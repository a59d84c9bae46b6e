#![expect(clippy::disallowed_methods, reason = "the test measures real time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use hcl_edit::Span as _;
use hcl_edit::parser::parse_body;
use hcl_edit::structure::Structure;
use proptest::prelude::*;

use super::{Cut, cut, text};

fn file() -> Arc<str> {
    "main.stack.hcl".into()
}

fn texts(source: &str) -> Vec<String> {
    let cut = cut(source, &file());
    assert!(cut.problems.is_empty(), "{:?}", cut.problems);
    cut.pieces.iter().map(|piece| piece.text.trim_end().to_owned()).collect()
}

/// The one problem of a text: its title, and the text of its first place.
fn problem(source: &str) -> (String, String) {
    let cut = cut(source, &file());
    assert_eq!(cut.problems.len(), 1, "{:?}", cut.problems);
    let problem = &cut.problems[0];
    let span = &problem.labels[0].span;
    (problem.title.clone(), source[span.start as usize..span.end as usize].to_owned())
}

#[test]
fn blocks_are_cut_whatever_is_in_them() {
    let blocks = [
        "a {}",
        "resource \"t\" \"n\" { # {\n  x = \"}\" // {\n  y = /* } */ { z = 1 }\n}",
        "b {\n  s = \"a ${ f({ k = \"}\" }) } \\\" $${ { %%{ {\"\n}",
        "c {\n  h = <<EOT\n } ${ x[\"}\"] }\n  EOT2\nEOT\n  i = <<-E\n    }\n    E\n}",
        "d {\n  t = \"%{ if a }}%{ else }{%{ endif }\"\n}",
        "x = 1",
    ];
    let source = format!("# first {{\n{}\n", blocks.join("\n/* between } */\n\n"));
    assert_eq!(texts(&source), blocks);
}

#[test]
fn places_are_those_of_the_file() {
    let source = "\u{feff}\n# é\nlocals {\n  é = 1\n}\n\nlocals { b = 2 }";
    let cut = cut(source, &file());
    let bases: Vec<&str> = cut.pieces.iter().map(|piece| &source[piece.base as usize..]).collect();
    assert!(bases[0].starts_with("locals {\n"), "{bases:?}");
    assert!(bases[1].starts_with("locals { b"), "{bases:?}");
}

#[test]
fn an_empty_heredoc_ends_where_it_says() {
    let source = "a {\n  x = <<EOT\n  EOT\n  y = <<EOT\nEOT\n  z = 1\n}\n";
    let cut = cut(source, &file());
    assert_eq!(cut.pieces[0].text.len(), source.len());
    let body = parse_body(&cut.pieces[0].text).unwrap();
    let block = body.blocks().next().unwrap();
    let names: Vec<&str> = block.body.attributes().map(|attribute| attribute.key.as_str()).collect();
    assert_eq!(names, ["x", "y", "z"]);
    assert_eq!(block.body.get_attribute("x").unwrap().value.as_str(), Some(""));
}

#[test]
fn what_does_not_end_is_told_at_its_beginning() {
    let cases = [
        ("a {\n  x = 1\n", "a block that is not closed", "{"),
        ("a {\n  x = [1,\n}\n", "`}` closes nothing: `[` is still open", "}"),
        ("a {\n  x = (1\n", "`(` is not closed", "("),
        ("a {\n  x = \"abc\n}\n", "a string that does not end on its line", "\"abc"),
        ("a {\n  x = \"abc ${b\"\n}\n", "a template that is not closed", "${b\""),
        ("a {\n  x = <<EOT\nabc\n}\n", "a heredoc that does not end: no line `EOT` follows", "<<EOT"),
        ("a {\n  x = <<EOT\n${ b\nEOT\n}\n", "a heredoc that does not end: no line `EOT` follows", "<<EOT"),
        ("a {} /* abc\n", "a comment that does not end", "/*"),
        ("}\n", "`}` closes nothing", "}"),
        ("a = 1)\n", "`)` closes nothing", ")"),
        ("a = \"", "a string that does not end", "\""),
        ("a = \"\\", "a string that does not end", "\""),
        ("a = \"${", "a template that is not closed", "${"),
    ];
    for (source, title, place) in cases {
        let (found, at) = problem(source);
        // A template in a heredoc may swallow the end of it: then the template is what is told.
        if found == "a template that is not closed" && place == "<<EOT" {
            continue;
        }
        assert_eq!((found.as_str(), at.as_str()), (title, place), "{source:?}");
    }
}

#[test]
fn the_blocks_behind_a_broken_one_are_still_found() {
    let source = "resource \"a\" \"b\" {\n  x = {\n\nvariable \"v\" {\n}\noutput \"o\" {\n  value = \"\n}\nlocals {\n}\n";
    let cut = cut(source, &file());
    let titles: Vec<&str> = cut.problems.iter().map(|problem| problem.title.as_str()).collect();
    assert_eq!(titles.len(), 2, "{titles:?}");
    let pieces: Vec<&str> = cut.pieces.iter().map(|piece| piece.text.lines().next().unwrap()).collect();
    assert_eq!(pieces, ["variable \"v\" {", "locals {"]);
}

#[test]
fn what_is_no_text_is_refused_with_its_place() {
    let refused = |bytes: &[u8]| {
        let problem = text(bytes, &file()).unwrap_err();
        (problem.title.clone(), problem.labels[0].span.start)
    };
    assert_eq!(refused(b"a = \"\0\""), ("a NUL byte in a stack file".to_owned(), 5));
    assert_eq!(refused(b"a = \"\xff\""), ("the file is not valid UTF-8".to_owned(), 5));
    assert!(text(&vec![b' '; super::FILE_LIMIT + 1], &file()).is_err());
    assert_eq!(text("a = \"é\"".as_bytes(), &file()).unwrap(), "a = \"é\"");
}

#[test]
fn objects_of_too_many_keys_are_refused() {
    let object = |count: usize, form: &str| {
        let keys: Vec<String> = (0..count).map(|i| format!("k{i} {form}")).collect();
        format!("a {{\n  x = {{\n{}\n  }}\n}}\nb {{}}\n", keys.join("\n"))
    };
    for form in ["= 1", ": 1", "= a ? b : c", "= { z = 1 }", "= \"${ { y = 1 } }\"", "= a == b"] {
        assert!(cut(&object(4_000, form), &file()).problems.is_empty(), "{form}");
        let source = object(4_001, form);
        let over = cut(&source, &file());
        assert_eq!(over.problems[0].title, "an object of more than 4000 keys", "{form}");
        assert_eq!(over.pieces.len(), 1, "the block behind it is there");
    }
    // Attributes of a block and items of a list are no keys.
    let attributes: String = (0..5_000).map(|i| format!("  a{i} = 1\n")).collect();
    assert!(cut(&format!("a {{\n{attributes}}}\n"), &file()).problems.is_empty());
}

#[test]
fn hostile_texts_take_no_time_and_no_stack() {
    let n = 1_000_000;
    let cases = [
        "[".repeat(n),
        format!("a = {}", "{x=".repeat(n)),
        "a {\n".repeat(n),
        format!("a = {}", "\"${".repeat(n)),
        format!("a = {}", "\"%{".repeat(n)),
        format!("a = <<E\n{}", "${<<E\n".repeat(n)),
        format!("a = {}", "<<E\n".repeat(n)),
        "resource \"a\" \"b\" {\n".repeat(n / 10),
        "}\n".repeat(n),
        "/*".repeat(n),
        "\"\n".repeat(n),
        "\"\\".repeat(n),
        "x = \"${\n".repeat(n / 4),
        "<<".repeat(n),
        format!("a = <<EOT\n{}", " \n".repeat(n)),
    ];
    for case in cases {
        let begun = Instant::now();
        let Cut { problems, .. } = cut(&case, &file());
        // A debug build on a busy machine; what is quadratic would take minutes.
        let shown = &case[..20.min(case.len())];
        assert!(begun.elapsed() < Duration::from_secs(60), "{shown:?}: {:?}", begun.elapsed());
        assert!(!problems.is_empty() || shown.starts_with("<<"), "{shown:?}");
    }
}

/// An expression as text; never with a raw line break in a quoted string, which only hcl-edit takes.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1".to_owned()),
        Just("-2.5e3".to_owned()),
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just("var.a-b".to_owned()),
        Just("a.b[0].c".to_owned()),
        Just("a[*].c".to_owned()),
        "\"([a-z{}\\[\\]()#/é ]|\\\\\"|\\\\\\\\|\\$\\$\\{|%%\\{|\\$ |% |\\*){0,8}x\"",
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let inline = inner.clone().prop_filter("no line break in a string", |text| !text.contains('\n'));
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec(inline.clone(), 0..4)
                .prop_map(|items| format!("[ # ]\n{}\n]", items.join(",\n"))),
            prop::collection::vec(inline.clone(), 0..4).prop_map(|values| {
                let pairs = values.iter().enumerate().map(|(i, value)| format!("  k{i} = {value} # }}\n"));
                format!("{{\n{}}}", pairs.collect::<String>())
            }),
            inline.clone().prop_map(|inner| format!("\"a ${{ {inner} }} }}\"")),
            inline.clone().prop_map(|inner| format!("\"%{{ if {inner} }}{{%{{ else }}}}%{{ endif }}\"")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("f({a}, {b})")),
            (inline.clone(), inline.clone()).prop_map(|(a, b)| format!("({a} == {b} ? {a} : {b})")),
            inline.clone().prop_map(|inner| format!("[for k, v in {inner} : v if k != \"}}\"]")),
            inline.clone().prop_map(|inner| format!("/* }} */ ({inner} < 3)")),
            inline.prop_map(|inner| format!("<<EOT\n  }} \" ${{ {inner} }}\n EOTX\n  # {{\n  EOT")),
        ]
    })
}

fn block() -> impl Strategy<Value = String> {
    let attributes = || {
        prop::collection::vec(expression(), 0..4).prop_map(|values| {
            let lines = values.iter().enumerate().map(|(i, value)| format!("  a{i} = {value}\n"));
            lines.collect::<String>()
        })
    };
    (attributes(), attributes(), any::<bool>(), any::<bool>()).prop_map(|(outer, inner, nested, gap)| {
        let nested = if nested { format!("  inner \"l\" {{\n{inner}  }}\n") } else { String::new() };
        let gap = if gap { "\n# } \"\n/* {\n */\n" } else { "" };
        format!("{gap}resource \"t\" \"n\" {{\n{outer}{nested}}}\n")
    })
}

/// Both ways of parsing say the same, places included.
fn same_as_whole(source: &str) {
    let Ok(whole) = parse_body(source) else { return };
    let cut = cut(source, &file());
    if !cut.problems.is_empty() {
        return;
    }
    let mut found: Vec<(Structure, std::ops::Range<usize>)> = Vec::new();
    for piece in &cut.pieces {
        let base = piece.base as usize;
        let body = parse_body(&piece.text).unwrap_or_else(|error| panic!("{error}\nin {:?}", piece.text));
        for structure in body {
            let span = structure.span().unwrap();
            found.push((structure, base + span.start..base + span.end));
        }
    }
    let whole: Vec<_> = whole.into_iter().map(|s| (s.clone(), s.span().unwrap())).collect();
    assert_eq!(whole.len(), found.len());
    for (whole, found) in whole.iter().zip(&found) {
        assert_eq!(whole, found);
    }
}

proptest! {
    #[test]
    fn cutting_changes_nothing(blocks in prop::collection::vec(block(), 0..6)) {
        let source = blocks.concat();
        prop_assert!(parse_body(&source).is_ok(), "the generator makes valid files: {source}");
        let cut = cut(&source, &file());
        prop_assert!(cut.problems.is_empty(), "{:?}\n{source}", cut.problems);
        prop_assert_eq!(cut.pieces.len(), blocks.len());
        same_as_whole(&source);
    }

    #[test]
    fn any_text_is_cut_without_panic(tokens in prop::collection::vec(prop_oneof![
        Just("a"), Just("{"), Just("}"), Just("\""), Just("${"), Just("%{"), Just("["), Just("]"), Just("("),
        Just(")"), Just("="), Just("\n"), Just("<<E\n"), Just("<<-E\n"), Just("E"), Just("\nE\n"), Just("#"),
        Just("/*"), Just("*/"), Just("\\"), Just("$${"), Just(" "), Just("1"), Just(","), Just("é"), Just("\r\n"),
        Just("a = 1\n"), Just("a {\n"), Just("}\n"), Just("if "), Just("resource \"a\" {\n"),
    ], 0..40)) {
        let source = tokens.concat();
        let cut = cut(&source, &file());
        for problem in &cut.problems {
            for label in &problem.labels {
                prop_assert!(source.get(label.span.start as usize..label.span.end as usize).is_some());
            }
        }
    }
}
