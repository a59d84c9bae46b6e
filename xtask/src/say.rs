//! The one place of this program that prints.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what is printed is printed here")]

/// A line of result.
pub fn line(text: &str) {
    println!("{text}");
}

/// A line of error.
pub fn error(text: &str) {
    eprintln!("xtask: {text}");
}
