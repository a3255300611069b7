//! Names the shared library: the one place that knows its soname.
//!
//! The soname is `libpirn.so.MAJOR.MINOR` while MAJOR is 0, because each minor version may break the ABI, and
//! `libpirn.so.MAJOR` from 1.0 on. The library pins itself in the process that loaded it: its threads and its
//! thread-locals' destructors run code that must not be unmapped.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let (major, minor) = (variable("CARGO_PKG_VERSION_MAJOR"), variable("CARGO_PKG_VERSION_MINOR"));
    let soname = if major == "0" { format!("libpirn.so.0.{minor}") } else { format!("libpirn.so.{major}") };
    println!("cargo:rustc-env=PIRN_SONAME={soname}");
    if variable("CARGO_CFG_TARGET_OS") != "linux" {
        return;
    }
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{soname}");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    link_beside_library(&soname);
}

/// A program that was linked with `target/<profile>/libpirn.so` looks for the soname when it starts; this lets it be
/// found in the same directory, before anything is installed.
fn link_beside_library(soname: &str) {
    // target/<profile>/build/pirn-<hash>/out
    let out = variable("OUT_DIR");
    let Some(profile) = Path::new(&out).ancestors().nth(3) else { return };
    let link = profile.join(soname);
    if !link.exists() && std::fs::symlink_metadata(&link).is_err() {
        // Only a convenience of the build tree: where it can't be made, an installed library is as good as ever.
        let _ = std::os::unix::fs::symlink("libpirn.so", link);
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
