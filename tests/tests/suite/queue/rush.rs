//! Many orders for few units, and a service that dies twice. `cargo run --release -p holdfast-tests --bin rush` is the long form.

use std::process::Command;

/// The first in line are sold, exactly as many as there are units; nobody is served out of turn or lost.
#[test]
fn a_rush_through_two_kills() {
    let rush = Command::new(env!("CARGO_BIN_EXE_rush")).args(["600", "150", "2"]).output().expect("it can be run");
    let said = format!("{}{}", String::from_utf8_lossy(&rush.stdout), String::from_utf8_lossy(&rush.stderr));
    assert!(rush.status.success(), "{said}");
    assert!(said.contains("150 confirmed, 450 rejected; the first 150 in line are confirmed"), "{said}");
}
