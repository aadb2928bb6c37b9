//! Passes the memory layout to the linker.

use std::env::var;
use std::path::PathBuf;

/// A small Cortex-M.
const ARM: &str = "MEMORY { FLASH : ORIGIN = 0x00000000, LENGTH = 256K RAM : ORIGIN = 0x20000000, LENGTH = 16K }\n";

/// A small RISC-V; `riscv-rt` needs the aliases.
const RISC_V: &str = "\
    MEMORY { FLASH : ORIGIN = 0x20000000, LENGTH = 256K RAM : ORIGIN = 0x80000000, LENGTH = 16K }\n\
    REGION_ALIAS(\"REGION_TEXT\", FLASH); REGION_ALIAS(\"REGION_RODATA\", FLASH);\n\
    REGION_ALIAS(\"REGION_DATA\", RAM); REGION_ALIAS(\"REGION_BSS\", RAM);\n\
    REGION_ALIAS(\"REGION_HEAP\", RAM); REGION_ALIAS(\"REGION_STACK\", RAM);\n";

fn main() {
    // The linker script of `cortex-m-rt` includes `memory.x` itself.
    let (memory, scripts) = match var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("arm") => (ARM, &["link.x"][..]),
        _ => (RISC_V, &["memory.x", "link.x"][..]),
    };
    let out = PathBuf::from(var("OUT_DIR").expect("cargo sets it"));
    std::fs::write(out.join("memory.x"), memory).expect("a folder made for it");
    println!("cargo::rustc-link-search={}", out.display());
    for script in scripts {
        println!("cargo::rustc-link-arg-bins=-T{script}");
    }
    // The section of directories that are not loaded.
    let core = concat!(env!("CARGO_MANIFEST_DIR"), "/../../mmstats-core");
    println!("cargo::rustc-link-search={core}");
    println!("cargo::rustc-link-arg-bins=-Tmmstats.x");
    println!("cargo::rerun-if-changed={core}/mmstats.x");
    println!("cargo::rerun-if-changed=build.rs");
}
