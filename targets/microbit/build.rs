//! Passes the memory layout to the linker.

fn main() {
    // The linker script of `cortex-m-rt` includes `memory.x` itself.
    println!(
        "cargo::rustc-link-search={}",
        std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")
    );
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    // The section of directories that are not loaded.
    let core = concat!(env!("CARGO_MANIFEST_DIR"), "/../../mmstats-core");
    println!("cargo::rustc-link-search={core}");
    println!("cargo::rustc-link-arg-bins=-Tmmstats.x");
    println!("cargo::rerun-if-changed={core}/mmstats.x");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=memory.x");
}
