# Two commands matter: `make demo` shows Postern at work, `make check` builds it three ways and passes all tests.
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 3600
ROUNDS ?= 200
PREFIX ?= /usr/local

all: build

help:
	@echo 'make demo       install what is missing, build, start, submit a message, show where it arrived (DEMO_ONCE=1: then stop)'
	@echo 'make check      build with gcc, clang and sanitizers; lint; all tests'
	@echo 'make build      build/gcc/postern'
	@echo 'make lint       the rules that a machine checks'
	@echo 'make fuzz       every fuzz target for FUZZ_SECONDS=60 seconds, going on from where the last run ended'
	@echo 'make tsan       what has threads, with ThreadSanitizer'
	@echo 'make bench      side by side with Postfix'
	@echo 'make siege      ten attacks, an honest client beside each (SIEGE=--quick for a minute of it)'
	@echo 'make soak       ROUNDS=200 kills under siege, then all attacks for SOAK_SECONDS=3600 with sanitizers'
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
	@tools/fuzz $(FUZZ_SECONDS)

bench: build
	@tools/need bench
	@bench/run build/gcc

siege: build
	@bench/siege_run build/gcc $(SIEGE)

tsan:
	@tools/need test
	@tools/tsan

soak:
	@tools/need test
	@tools/soak $(ROUNDS) $(SOAK_SECONDS)

install:
	@tools/need build
	@PREFIX='$(PREFIX)' tools/build release
	@DESTDIR='$(DESTDIR)' meson install -C build/release --no-rebuild

clean:
	rm -rf build

.PHONY: all help demo check build lint fuzz tsan bench siege soak install clean
