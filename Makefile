# Steward, a SQLite extension. `make help` lists the targets. Each finds what
# it needs, says what is missing and installs it (Debian, Ubuntu).

# ---------------------------------------------------------------- knobs ---
CC      ?= cc
CFLAGS  ?= -O2 -g
LDLIBS  ?= -lpcre2-8 -lm -lpthread
#DEPS    = skip            # never install anything
#DB      = my.db           # make demo: walk through a copy of this database
#TESTS   = delivery ttl    # make test: only these files of tests/
#VERBOSE = 1               # make test: one line per test
#JOBS    = 2               # make test: so many files at a time
#SEED    = 4711            # make test, fuzz: repeat a random run
#SEEDS   = docs/           # make test: compare tests/seeds/ with the documents
SECONDS ?= 60#             # make fuzz, wal: for how long
PREFIX  ?= /usr/local#     # make install: below here ...
DESTDIR ?=#                # ... inside of this staging directory
LIBDIR  ?= $(PREFIX)/lib
TCLDIR  ?= $(PREFIX)/lib/tcltk
#LOAD    = --rate 0        # make load: options of tcl/loadgen.tcl
#V       = 1               # show the compilers' command lines
#RELEASE = bookworm        # make clean-root: suite (ubuntu ones: jammy ...)
O       ?= build#          # where objects go; variants use build/<variant>

# What the sources rely on, whatever CFLAGS says.
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
       -Wmissing-prototypes -Wno-unused-parameter
BASE = -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -MMD -MP \
       -Iext -Iext/runtime -Ibuild $(WARN)
# No symbol may be missing at load; once loaded the code stays mapped.
SOFLAGS = -Wl,-z,defs -Wl,-z,nodelete

# -------------------------------------------------------- what there is ---
VERSION := $(shell sed -n 's/^.define STEWARD_VERSION "\(.*\)".*/\1/p' \
             ext/steward.h 2>/dev/null)
SQL     := $(sort $(wildcard sql/*.sql sql/migrations/*/*.sql))
SQLDIRS := $(wildcard sql sql/migrations sql/migrations/*/.)
SRC     := $(sort $(wildcard ext/*.c ext/runtime/*.c vtab/*.c))
GEN     := build/steward_sql.c build/steward_migrations.c build/steward_help.c
OBJ     := $(patsubst %.c,$(O)/%.o,$(SRC) $(GEN))
CSRC    := $(SRC) $(wildcard tests/*.c)
CHDR    := $(wildcard ext/*.h ext/runtime/*.h vtab/*.h tests/*.h)
# tests/ext_*.c are small extensions that tests load, the others programs
TESTLIB := $(patsubst %.c,$(O)/%.so,$(wildcard tests/ext_*.c))
TESTBIN := $(patsubst %.c,$(O)/%,$(filter-out tests/ext_%,\
             $(wildcard tests/*.c)))
SO      := $(O)/steward.so
RUN     := $(MAKE) --no-print-directory DEPS=skip
say     = $(if $(V),,@echo '  $(1)';)
NEED     = @DEPS='$(DEPS)' CC='$(CC)' sh tcl/need.sh

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
export DEPS DB TESTS VERBOSE JOBS SEED SEEDS RELEASE TARGETS WORKTREE KEEP

# -------------------------------- targets, from the cheapest to the dearest
.PHONY: all
all: $(SO) ## build/steward.so (the default)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-11s %s\n",$$1,$$2}' Makefile

.PHONY: docs
docs: need-docs build/reference.md ## build/reference.md from the docstrings

.PHONY: demo
demo: need-demo $(SO) ## walk through everything on a real database (DB=path)
	tclsh tcl/demo.tcl $(SO)

.PHONY: test
test: need-test $(SO) c-tests ## all tests (TESTS="delivery ttl" VERBOSE=1)
	@tclsh tcl/runtests.tcl $(SO) $(O)/tests

.PHONY: hammer
hammer: need-test $(SO) ## processes that publish, read and are killed (ROUNDS=200)
	STEWARD_SO=$(SO) ROUNDS=$${ROUNDS:-200} tclsh tests/hammer.test

.PHONY: wal
wal: $(SO) c-tests ## a writer, readers and upkeep for a minute (SECONDS=60)
	$(O)/tests/wal $(SO) $(SECONDS)

.PHONY: fault
fault: $(SO) c-tests ## fail each allocation in turn
	$(O)/tests/fault $(SO)

.PHONY: bench
bench: $(SO) c-tests ## measure; ratios with percentiles, and JSON
	$(O)/tests/bench $(SO) $(BENCH)
	$(O)/tests/bench_keeper $(SO) $(BENCH)
	$(O)/tests/bench_delivery $(SO) $(BENCH)
	$(O)/tests/bench_store $(SO) $(BENCH)
	$(O)/tests/bench_perf $(SO) $(BENCH)
	$(O)/tests/bench_health $(SO) $(BENCH)
	$(O)/tests/bench_pool $(SO) $(BENCH)
	$(O)/tests/bench_job $(SO) $(BENCH)
	$(O)/tests/bench_stream $(SO) $(BENCH)

.PHONY: load
load: need-test $(SO) ## load on the store from several processes (LOAD="--clients 4")
	cd $(O) && STEWARD_SO=$(abspath $(SO)) tclsh $(abspath tcl/loadgen.tcl) $(LOAD)

.PHONY: fixture
fixture: need-test $(SO) ## the database of a new version, in tests/fixtures/
	tclsh tcl/make_fixture.tcl $(SO) tests/fixtures

.PHONY: format
format: need-format ## let clang-format lay out the C sources
	clang-format -i $(CSRC) $(CHDR)

CHECKS = check-gcc check-clang check-format check-lines check-cpp \
         check-symbols check-sql
.PHONY: check $(CHECKS)
check: need-check $(CHECKS) ## gcc, clang, cppcheck, format, symbols, SQL
	@echo "check: all of $(CHECKS) passed"

.PHONY: fuzz
fuzz: $(SO) c-tests ## random values into every function (SECONDS=60)
	$(O)/tests/fuzz $(SO) $(SECONDS)
	$(O)/tests/perf_text $(SO) $(SECONDS)

SANITIZE = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
           -fno-sanitize-recover=undefined
.PHONY: asan
asan: need-asan $(GEN) ## the tests under ASan and UBSan, stock sqlite3
	$(RUN) O=build/asan CC=gcc CFLAGS='$(SANITIZE)' build/asan/steward.so c-tests
	TEST_PRELOAD="$$(gcc -print-file-name=libasan.so) \
	$$(gcc -print-file-name=libubsan.so)" \
	tclsh tcl/runtests.tcl build/asan/steward.so build/asan/tests
	if test -x build/asan/tests/fuzz; then \
	  build/asan/tests/fuzz build/asan/steward.so 20; fi

RACE = -O1 -g -fno-omit-frame-pointer -fsanitize=thread
.PHONY: tsan
tsan: need-asan $(GEN) ## the C tests of threads under TSan
	$(RUN) O=build/tsan CC=gcc CFLAGS='$(RACE)' build/tsan/steward.so \
	  $(addprefix build/tsan/tests/,keeper perf pool vacuum wait)
	@set -e; for t in keeper perf pool vacuum wait; do \
	  TSAN_OPTIONS=die_after_fork=0:exitcode=66 \
	  build/tsan/tests/$$t build/tsan/steward.so; done

.PHONY: valgrind
valgrind: need-valgrind $(SO) c-tests ## the C tests under valgrind
	@set -e; for t in close capi keeper pool; do \
	  test -x $(O)/tests/$$t || continue; echo "valgrind $$t"; \
	  valgrind -q --error-exitcode=9 --leak-check=full \
	    $(O)/tests/$$t $(SO) nofork; \
	done

.PHONY: coverage
coverage: need-coverage $(GEN) ## line coverage of the tests, by file
	rm -rf build/coverage
	$(RUN) O=build/coverage CC=gcc CFLAGS='-O0 -g --coverage' \
	  build/coverage/steward.so c-tests
	-tclsh tcl/runtests.tcl build/coverage/steward.so build/coverage/tests
	@sh tcl/coverage.sh build/coverage

.PHONY: clean-root
clean-root: need-clean-root ## prove demo and test in a bare Debian (RELEASE=)
	sh tcl/clean_root.sh

.PHONY: install
install: $(SO) ## library, header, pkg-config file, Tcl package (PREFIX=)
	install -d '$(D)$(LIBDIR)/pkgconfig' '$(D)$(PREFIX)/include' '$(D)$(TCLPKG)'
	install -m 755 $(SO) '$(D)$(LIBDIR)/steward.so'
	install -m 644 ext/steward.h '$(D)$(PREFIX)/include/steward.h'
	$(FILL) ext/steward.pc.in > '$(D)$(LIBDIR)/pkgconfig/steward.pc'
	$(FILL) tcl/pkgIndex.tcl.in > '$(D)$(TCLPKG)/pkgIndex.tcl'
	install -m 644 tcl/steward.tcl '$(D)$(TCLPKG)/steward.tcl'

.PHONY: uninstall
uninstall: ## remove exactly what install put there
	rm -f '$(D)$(LIBDIR)/steward.so' '$(D)$(PREFIX)/include/steward.h' \
	  '$(D)$(LIBDIR)/pkgconfig/steward.pc' \
	  '$(D)$(TCLPKG)/pkgIndex.tcl' '$(D)$(TCLPKG)/steward.tcl'
	if [ -d '$(D)$(TCLPKG)' ]; then rmdir '$(D)$(TCLPKG)'; fi

.PHONY: clean
clean: ## remove build/
	rm -rf build

D      = $(strip $(DESTDIR))
TCLPKG = $(TCLDIR)/steward$(VERSION)
FILL   = sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@PREFIX@|$(PREFIX)|g' \
             -e 's|@LIBDIR@|$(LIBDIR)|g'

# ------------------------------------------------------------- the parts ---
# What a target needs is looked up on every run (it takes milliseconds), in
# a phony target, so order-only: it never makes anything out of date.
NEEDS = need-build need-test need-demo need-check need-docs need-asan \
        need-valgrind need-coverage need-clean-root need-format
.PHONY: $(NEEDS)
$(NEEDS): need-%:
	$(NEED) $*

$(SO): $(OBJ)
	$(call say,LD   $@)$(CC) -shared $(CFLAGS) $(LDFLAGS) $(SOFLAGS) -o $@ \
	  $(OBJ) $(LDLIBS)

$(O)/%.o: %.c $(O)/flags | need-build build/steward_sql.h
	@mkdir -p $(@D)
	$(call say,CC   $@)$(CC) $(BASE) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# New flags or another compiler make everything out of date.
FLAGS = $(CC) $(BASE) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LDLIBS)
$(O)/flags: force
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@
.PHONY: force
force:

# The scripts rewrite an output only when it changes; the stamps remember
# that they ran. The directories notice files that came or went.
build/embed.stamp: $(SQL) $(SQLDIRS) tcl/embed.tcl tcl/csource.tcl | need-build
	@mkdir -p $(@D)
	$(call say,TCL  build/steward_sql.[ch] build/steward_migrations.c)\
	  tclsh tcl/embed.tcl build $(SQL)
	@touch $@
build/docs.stamp: $(SRC) ext vtab tcl/docs.tcl tcl/csource.tcl | need-build
	@mkdir -p $(@D)
	$(call say,TCL  build/steward_help.c)tclsh tcl/docs.tcl \
	  build/steward_help.c $(SRC)
	@touch $@
build/steward_sql.h build/steward_sql.c build/steward_migrations.c: \
    build/embed.stamp
	@test -f $@ || tclsh tcl/embed.tcl build $(SQL)
build/steward_help.c: build/docs.stamp
	@test -f $@ || tclsh tcl/docs.tcl $@ $(SRC)
build/reference.md: $(SRC) ext vtab tcl/docs.tcl tcl/csource.tcl | need-docs
	@mkdir -p $(@D)
	$(call say,TCL  $@)tclsh tcl/docs.tcl $@ $(SRC)

.PHONY: c-tests
c-tests: $(TESTBIN) $(TESTLIB)
$(TESTBIN): %: %.o
	$(call say,LD   $@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< \
	  -lsqlite3 -ldl -lpthread -lm
$(TESTLIB): %.so: %.o
	$(call say,LD   $@)$(CC) -shared $(CFLAGS) $(LDFLAGS) -o $@ $< $(LDLIBS)
.SECONDARY: $(TESTBIN:=.o) $(TESTLIB:.so=.o)

# Both compilers, warnings are errors here and only here.
check-gcc check-clang: check-%: need-check $(GEN)
	@echo "$*: everything with -Werror"
	@$(RUN) O=build/check-$* CC=$* CFLAGS='-O2 -g -Werror' \
	  build/check-$*/steward.so c-tests

check-format: need-check
	@echo "clang-format"
	@clang-format --dry-run -Werror $(CSRC) $(CHDR)

check-lines:
	@echo "80 columns, no tabs, no trailing blanks"
	@sh tcl/check_lines.sh

check-cpp: need-check $(GEN)
	@echo "cppcheck"
	@cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
	  --enable=warning,performance,portability \
	  --suppress=missingIncludeSystem --suppress=unknownMacro \
	  -D__x86_64__ -D__GNUC__ -Iext -Iext/runtime -Ibuild $(CSRC)

check-symbols: $(SO)
	@echo "nm: the one exported symbol"
	@nm -D --defined-only $(SO) | awk '{print $$NF}' > build/symbols
	@echo sqlite3_steward_init | diff - build/symbols

check-sql: need-check $(SO)
	@echo "every statement and migration prepares"
	@tclsh tcl/check_sql.tcl $(SO) $(SQL)

-include $(OBJ:.o=.d) $(TESTBIN:=.d) $(TESTLIB:.so=.d)
