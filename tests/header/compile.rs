//! The headers compile: as C11 and as C++17, each alone and twice, beside those of the other loops, in any order.

use super::{built, generate, root};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub const C: &[&str] = &["cc", "-x", "c", "-std=c11"];
const CXX: &[&str] = &["c++", "-x", "c++", "-std=c++17", "-Wold-style-cast"];

#[test]
fn each_header_stands_alone_and_twice() {
    for name in generate::names().map(|name| format!("pirn/{name}.h")).chain(["pirn.h".to_owned()]) {
        let source = format!("#include <{name}>\n#include <{name}>\nint main(void) {{ return 0; }}\n");
        check(C, &[], &source);
        check(CXX, &[], &source);
    }
}

#[test]
fn they_go_with_the_other_loops_in_any_order() {
    let beside = |others: &[&str], languages: &[&[&str]]| {
        let Some(flags) = flags_of(others) else { return };
        let before: String = others.iter().map(|name| format!("#include <{name}>\n")).collect();
        for language in languages {
            check(language, &flags, &format!("{before}#include <pirn.h>\nint main(void) {{ return 0; }}\n"));
            check(language, &flags, &format!("#include <pirn.h>\n{before}int main(void) {{ return 0; }}\n"));
        }
    };
    beside(&["threads.h"], &[C]);
    for others in [["uv.h", "glib.h", "event2/event.h"], ["uv.h", "glib.h", "ev.h"]] {
        beside(&others, &[C, CXX]);
        // What one of them lacks on this machine must not hide the rest.
        others.iter().for_each(|other| beside(&[other], &[C, CXX]));
    }
}

#[test]
fn the_macros_make_what_they_say_in_c_and_cxx() {
    for (language, name) in [(C, "uses-c"), (CXX, "uses-cxx")] {
        let program = build(language, name, &super::read("tests/header/uses.c"));
        succeed(Command::new(&program.path).env("LD_LIBRARY_PATH", &program.libraries).output(), name);
    }
}

/// A program that was compiled, and where its library is found.
pub struct Program {
    pub path: PathBuf,
    pub libraries: PathBuf,
}

/// Compiles a program and links it with the library that was built along with these tests.
pub fn build(language: &[&str], name: &str, source: &str) -> Program {
    let libraries = built().join(format!("headers-{name}"));
    std::fs::create_dir_all(&libraries).expect("a directory");
    link(&built().join("libpirn.so"), &libraries.join(env!("PIRN_SONAME")));
    let (text, path) = (libraries.join("program.c"), libraries.join("program"));
    std::fs::write(&text, source).expect("the source");
    let mut compiler = compiler(language);
    compiler.arg("-o").arg(&path).arg(&text).args(["-x", "none"]).arg(built().join("libpirn.so")).arg("-lpthread");
    succeed(compiler.output(), name);
    Program { path, libraries }
}

/// Compiles a program, without a trace.
fn check(language: &[&str], flags: &[String], source: &str) {
    use std::io::Write;
    let mut compiler = compiler(language);
    compiler.args(flags).args(["-fsyntax-only", "-"]).stdin(std::process::Stdio::piped());
    let mut running = compiler.stderr(std::process::Stdio::piped()).spawn().expect("a compiler for C and C++");
    running.stdin.take().expect("its input").write_all(source.as_bytes()).expect("the program written");
    succeed(running.wait_with_output(), source);
}

fn compiler(language: &[&str]) -> Command {
    let mut compiler = Command::new(language[0]);
    compiler.args(&language[1..]).args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-variadic-macros"]);
    compiler.arg("-I").arg(root().join("include"));
    compiler
}

/// What the compiler needs to find these headers; none if they aren't on this machine.
fn flags_of(headers: &[&str]) -> Option<Vec<String>> {
    let packages = [("uv.h", "libuv"), ("glib.h", "glib-2.0"), ("event2/event.h", "libevent")];
    let mut flags = Vec::new();
    for header in headers {
        if let Some((_, package)) = packages.iter().find(|(name, _)| name == header) {
            let told = Command::new("pkg-config").args(["--cflags", package]).output().ok()?;
            // As the system's headers, so that their own warnings don't count.
            flags.extend(
                String::from_utf8(told.stdout).ok()?.split_whitespace().map(|flag| flag.replace("-I", "-isystem")),
            );
        } else if !Path::new("/usr/include").join(header).is_file() {
            return None;
        }
    }
    let all: String = headers.iter().map(|name| format!("#include <{name}>\n")).collect();
    let mut probe = compiler(C);
    let place: PathBuf = built().join(format!("probe-{}.c", headers.join("-").replace('/', "_")));
    std::fs::write(&place, all).expect("the probe");
    let there = probe.args(&flags).arg("-fsyntax-only").arg(&place).output().is_ok_and(|out| out.status.success());
    if !there {
        eprintln!("not on this machine: {headers:?}");
    }
    there.then_some(flags)
}

fn link(file: &Path, name: &Path) {
    let _ = std::fs::remove_file(name);
    std::os::unix::fs::symlink(file, name).expect("a link");
}

fn succeed(out: std::io::Result<Output>, what: &str) {
    let out = out.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(out.status.success(), "{what}\n{}", String::from_utf8_lossy(&out.stderr));
}
