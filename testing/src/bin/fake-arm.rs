//! Serves the fake of Azure Resource Manager until standard input ends, and prints what to set: `az` can be tried by hand.
//! `cargo run -p windlass-testing --features grounds --bin fake-arm`

#![expect(clippy::print_stdout, reason = "what is printed is printed here")]

use std::io::Read;
use std::process::ExitCode;

use windlass_testing::arm::Arm;

fn main() -> ExitCode {
    let Some(arm) = Arm::start() else { return ExitCode::FAILURE };
    for (name, value) in arm.env() {
        println!("export {name}='{value}'");
    }
    println!("# {} until standard input ends", arm.endpoint());
    // Whatever ends it, it has ended.
    let _read = std::io::stdin().read_to_end(&mut Vec::new());
    for request in arm.requests() {
        println!("# {}", request.line());
    }
    ExitCode::SUCCESS
}
