//! The functions of the headers, those that the library exports, and the list of those that were promised.

use super::{built, prototypes, read};
use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn header_library_and_list_agree() {
    let declared: BTreeSet<String> = prototypes::all().into_iter().map(|function| function.name).collect();
    let exported = exported();
    let promised: BTreeSet<String> = read("tests/header/functions.txt").lines().map(str::to_owned).collect();
    assert_eq!(
        declared.symmetric_difference(&exported).collect::<Vec<_>>(),
        [""; 0],
        "in the headers or exported only"
    );
    assert_eq!(
        declared.symmetric_difference(&promised).collect::<Vec<_>>(),
        [""; 0],
        "in the headers or in tests/header/functions.txt only"
    );
}

#[test]
fn the_library_has_its_name() {
    let library = built().join("libpirn.so");
    let told = Command::new("objdump").arg("-p").arg(&library).output().expect("objdump");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let soname = told.lines().find_map(|line| line.trim().strip_prefix("SONAME")).map(str::trim);
    assert_eq!(soname, Some(env!("PIRN_SONAME")), "{}", library.display());
    assert!(pinned(&told), "the library pins itself: {told}");
}

/// Does the dynamic section have DF_1_NODELETE?
fn pinned(told: &str) -> bool {
    let flags = told.lines().find_map(|line| line.trim().strip_prefix("FLAGS_1")).map(str::trim);
    let flags = flags.and_then(|flags| u64::from_str_radix(flags.trim_start_matches("0x"), 16).ok());
    flags.is_some_and(|flags| flags & 0x8 != 0)
}

/// Every symbol that the library shows to the dynamic linker.
fn exported() -> BTreeSet<String> {
    let library = built().join("libpirn.so");
    let out = Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(&library).output().expect("nm");
    assert!(out.status.success(), "nm: {}", String::from_utf8_lossy(&out.stderr));
    let lines = String::from_utf8(out.stdout).expect("text");
    lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}
