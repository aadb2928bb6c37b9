//! Passes the memory layout to the linker, and keeps the texts of the log in the ELF file.

fn main() {
    // The linker script of `cortex-m-rt` includes `memory.x` itself.
    println!(
        "cargo::rustc-link-search={}",
        std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")
    );
    for script in ["link.x", "defmt.x"] {
        println!("cargo::rustc-link-arg-bins=-T{script}");
    }
    // Without it, defmt leaves out all but errors.
    println!("cargo::rustc-env=DEFMT_LOG=info");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=memory.x");
}
