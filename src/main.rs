//! The `amiforge` command: arguments, logging, exit code; nothing else.

fn main() {
    println!("{}", env!("CARGO_PKG_VERSION"));
}
