# pirn. `make demo` shows it, `make test` checks it.
#
#   make demo                    builds the library and runs the examples, from C and, where SBCL is, from Lisp
#   make test                    everything that is tested; `make test LANES="rust c"` a part of it, see tests/run
#   make bench, bench-quick      measures, side by side with the other libraries; quick: under five minutes
#   make header                  writes include/ anew from the library's source
#   make install, uninstall      PREFIX (/usr/local), LIBDIR ($(PREFIX)/lib) and DESTDIR say where
#   make soak                    ten minutes of everything through Lisp, with memory watched; SOAK_SECONDS for longer

CARGO ?= cargo
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
INSTALL ?= install
LANES ?=

BUILT = target/release
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
# The soname is build.rs's to say.
SONAME = $(shell objdump -p $(BUILT)/libpirn.so | awk '/SONAME/ { print $$2 }')
TO_LIB = $(DESTDIR)$(LIBDIR)
TO_INCLUDE = $(DESTDIR)$(INCLUDEDIR)

.PHONY: library demo test bench bench-quick header install uninstall soak clean

library:
	$(CARGO) build --release

demo: library
	@tests/demo

test:
	@tests/run $(LANES)

bench bench-quick: library
	$(MAKE) -C benches $@

header:
	$(CARGO) test --quiet --test header -- --ignored write_headers

install: library
	$(INSTALL) -d $(TO_INCLUDE)/pirn $(TO_LIB)/pkgconfig
	$(INSTALL) -m 644 include/pirn.h $(TO_INCLUDE)
	$(INSTALL) -m 644 include/pirn/*.h $(TO_INCLUDE)/pirn
	$(INSTALL) -m 644 $(BUILT)/libpirn.a $(TO_LIB)
	$(INSTALL) -m 755 $(BUILT)/libpirn.so $(TO_LIB)/libpirn.so.$(VERSION)
	ln -sf libpirn.so.$(VERSION) $(TO_LIB)/$(SONAME)
	ln -sf $(SONAME) $(TO_LIB)/libpirn.so
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|; s|@VERSION@|$(VERSION)|' \
	    pirn.pc.in > $(TO_LIB)/pkgconfig/pirn.pc
	chmod 644 $(TO_LIB)/pkgconfig/pirn.pc
	[ -n "$(DESTDIR)" ] || ldconfig || true

uninstall:
	rm -f $(TO_LIB)/libpirn.so $(TO_LIB)/libpirn.so.* $(TO_LIB)/libpirn.a $(TO_LIB)/pkgconfig/pirn.pc
	rm -f $(TO_INCLUDE)/pirn.h $(TO_INCLUDE)/pirn/*.h
	[ ! -d $(TO_INCLUDE)/pirn ] || rmdir $(TO_INCLUDE)/pirn

soak: library # SOAK_SECONDS says how long (600)
	cd lisp && sbcl --non-interactive --no-userinit --load soak.lisp

clean:
	$(CARGO) clean
	$(MAKE) -C c-examples clean
