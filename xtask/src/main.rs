//! What CI and a person run: `cargo xtask test`, `cargo xtask tools` and `cargo xtask bench`.

mod bench;
mod measure;
mod say;
mod test;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;

const USAGE: &str = "\
usage: cargo xtask test [--quick]
       cargo xtask tools
       cargo xtask bench [cloudformation] [--quick] [--runs N]

test    everything that CI needs: format, lints, the bare library, all tests, licences
        --quick  without the release build and without the licences
tools   installs what the tests need and cargo cannot build: aws, moto_server and az, pinned, each in an environment of its
        own that all checkouts share, in $WINDLASS_TEST_TOOLS or the user's cache
bench   terraform and windlass side by side; writes docs/benchmarks.md
        cloudformation  20 stacks beside a bare loop of `aws`; writes docs/benchmarks-cloudformation.md
        --quick  small sizes, one run each, printed only
        --runs N how often each case is run (3); the table shows medians";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether all was well.
fn dispatch(args: &[String]) -> Result<bool> {
    match args.split_first() {
        Some((command, rest)) if command == "test" => test::run(&test::Options::parse(rest)?),
        Some((command, [])) if command == "tools" => lay_tools(),
        Some((command, rest)) if command == "bench" => bench::run(&bench::Options::parse(rest)?),
        Some((command, rest)) if command == measure::SUBCOMMAND => measure::child(rest),
        _ => {
            say::line(USAGE);
            Ok(args.iter().any(|arg| arg == "--help" || arg == "-h" || arg == "help"))
        }
    }
}

fn lay_tools() -> Result<bool> {
    let missing = tools::lay()?;
    for why in &missing {
        say::error(why);
    }
    Ok(missing.is_empty())
}
