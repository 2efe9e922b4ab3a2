# Two commands matter: `make demo` shows Postern at work, `make check` builds it three ways and passes all tests.
SECONDS_EACH ?= 60
ROUNDS ?= 50
PREFIX ?= /usr/local

all: build

help:
	@echo 'make demo       install what is missing, build, start, submit a message, show where it arrived (DEMO_ONCE=1: then stop)'
	@echo 'make check      build with gcc, clang and sanitizers; lint; all tests'
	@echo 'make build      build/gcc/postern'
	@echo 'make lint       the rules that a machine checks'
	@echo 'make fuzz       every fuzz target for SECONDS_EACH=60 seconds'
	@echo 'make bench      side by side with Postfix'
	@echo 'make soak       kill processes at random under load, ROUNDS=50 times, and count'
	@echo 'make install    into /usr/local (PREFIX=, DESTDIR=)'

demo:
	@tools/need build
	@echo 'building build/gcc/postern'
	@mkdir -p build && tools/build gcc postern > build/demo.log 2>&1 || { cat build/demo.log; exit 1; }
	@tools/demo build/gcc/postern

check:
	@tools/need test
	@tools/check

build:
	@tools/need build
	@tools/build gcc

lint: build
	@tools/layers && tools/ban && tools/budget && tools/pure build/gcc && tools/limits build/gcc && echo 'lint: all rules hold'

fuzz:
	@tools/need fuzz
	@tools/fuzz $(SECONDS_EACH)

bench: build
	@tools/need bench
	@bench/run build/gcc

soak: build
	@POSTERN=$(CURDIR)/build/gcc/postern CRASH_ROUNDS=$(ROUNDS) /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/crash

install:
	@tools/need build
	@PREFIX='$(PREFIX)' tools/build release
	@DESTDIR='$(DESTDIR)' meson install -C build/release --no-rebuild

clean:
	rm -rf build

.PHONY: all help demo check build lint fuzz bench soak install clean
