# p11vault: build, test, install.  `make help` lists the targets.
#
#   make                                      the three programs in build/release
#   make CC=clang                             the same in build/clang
#   make SANITIZE=address,undefined unit      in build/address-undefined
#   make check                                everything, totals on the last line
#   make PREFIX=/usr DESTDIR=/tmp/stage install

VERSION    := 0.1.0
PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/p11vault
MANDIR     ?= $(PREFIX)/share/man
DOCDIR     ?= $(PREFIX)/share/doc/p11vault
SYSCONFDIR ?= /etc
CONFDIR    := $(SYSCONFDIR)/p11vault
UNITDIR    ?= $(PREFIX)/lib/systemd/system
PKG_CONFIG ?= pkg-config
INSTALL    ?= install
PYTHON     ?= /usr/bin/python3
VALGRIND   ?= valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite
FUZZ_SECONDS ?= 30

# What each program may link.  A module in the wrong room needs a library that is not in its list
# and so fails to link; tests/checks/links.sh looks at the result as well.
FRONT_LIBS    := libcrypto jansson sqlite3 inih libseccomp
CARD_LIBS     := p11-kit-1 libcrypto jansson libseccomp
EXCHANGE_LIBS := libcurl libssl libcrypto jansson libseccomp
EVERY_LIB     := $(sort $(FRONT_LIBS) $(CARD_LIBS) $(EXCHANGE_LIBS))

MODULES  := base ipc pin confine config pkcs11 store http seal audit oauth inside sieve vault front
PROGRAMS := p11vault p11vault-card p11vault-exchange

# A missing library is one clear line.  Some targets work without any: they may have to install them.
WITHOUT_LIBS := check demo deps clean help uninstall install-units floors
ifneq ($(if $(MAKECMDGOALS),$(filter-out $(WITHOUT_LIBS),$(MAKECMDGOALS)),all),)
MISSING := $(foreach lib,$(EVERY_LIB),$(shell $(PKG_CONFIG) --exists $(lib) 2>/dev/null || echo $(lib)))
ifneq ($(strip $(MISSING)),)
$(error $(PKG_CONFIG) finds no $(strip $(MISSING)): run `make deps`, which installs what is needed)
endif
endif
libs_of = $(shell $(PKG_CONFIG) --libs $1)

# Each variant has its own directory: compiler (unless it is the default) and sanitizers.
comma   := ,
empty   :=
space   := $(empty) $(empty)
KIND    := $(filter-out cc gcc,$(notdir $(firstword $(CC)))) $(subst $(comma), ,$(SANITIZE))
VARIANT := $(or $(subst $(space),-,$(strip $(KIND))),release)
B       ?= build/$(VARIANT)

CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
           -Wwrite-strings -Wundef -Wpointer-arith -Wcast-qual -Wconversion -Wno-sign-conversion \
           $(if $(filter 1,$(WERROR)),-Werror)
accepts  = $(shell $(CC) $1 -E -x c /dev/null >/dev/null 2>&1 && echo $1)
HARDEN  := -fPIE -fstack-protector-strong $(call accepts,-fstack-clash-protection) \
           $(call accepts,-fcf-protection)
ifeq ($(SANITIZE),)
HARDEN  += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
CHECKED := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
HARDEN  += $(CHECKED) -DP11VAULT_SANITIZED
endif
PLACES  := -DVERSION='"$(VERSION)"' -DLIBEXECDIR='"$(LIBEXECDIR)"'
# Few files name a version or a place, so another PREFIX compiles only those anew.
PLACED  := $(shell grep -lwE 'VERSION|LIBEXECDIR|SYSCONFDIR' src/*/*.c)
# Only an installed p11vault reads this machine's configuration.  That of a build, which is what demo and all
# tests run, looks for it below the build directory instead; what is installed is linked once more.
CONF_OF_BUILD     := -DSYSCONFDIR='"$(abspath $B)/etc"'
CONF_OF_INSTALLED := -DSYSCONFDIR='"$(SYSCONFDIR)"'
INSTALLED := $(if $(SANITIZE),,$B/installed/p11vault)
COMPILE  = $(CC) -std=gnu11 -D_GNU_SOURCE -Iinclude $(WARN) $(HARDEN) \
           $(shell $(PKG_CONFIG) --cflags $(EVERY_LIB) 2>/dev/null) $(CPPFLAGS) $(CFLAGS)
COMPILE := $(COMPILE)
LINK    := $(CC) -pie $(CHECKED) $(CFLAGS) -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(LDFLAGS)

objects  = $(patsubst %.c,$B/%.o,$(sort $(wildcard $1)))
LIBRARY := $B/libp11vault.a
LOOKERS := $(patsubst %,$B/exposure/%,scan plant without)
UNITS   := $(patsubst tests/unit/%.c,$B/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
FUZZERS := $(patsubst tests/fuzz/%.c,$B/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
HEADERS := $(sort $(wildcard include/p11vault/*/*.h src/*/*.h))
SOURCES := $(sort $(wildcard src/*/*.c))
UNITS_OF_SYSTEMD := $(notdir $(sort $(wildcard conf/systemd/*)))
MANUALS := $(sort $(wildcard docs/man/*.[1-8]))

# `make V=1` shows the commands instead of one short line each.
Q    := $(if $(filter 1,$(V)),,@)
say   = $(if $Q,@printf '  %-8s %s\n' $1 '$@')

all: $(PROGRAMS:%=$B/%) $(INSTALLED)

$(PLACED:%.c=$B/%.o): $B/places
$(PLACED:%.c=$B/%.o): private COMPILE += $(PLACES) $(CONF_OF_BUILD)
$B/%.o: %.c $B/flags
	$(call say,CC)
	$Qmkdir -p $(@D) && $(COMPILE) -MMD -MP -c -o $@ $<

# The commands of this variant.  A file changes, and what depends on it is rebuilt, only when they do.
$B/flags: STATED = $(COMPILE) $(LINK)
$B/places: STATED = $(PLACES) $(CONF_OF_BUILD) $(CONF_OF_INSTALLED)
$B/flags $B/places: FORCE
	@mkdir -p $B
	@printf '%s\n' '$(subst ','\'',$(STATED))' >$@.$$PPID
	@if cmp -s $@.$$PPID $@; then rm $@.$$PPID; else mv $@.$$PPID $@; fi

$(LIBRARY): $(call objects,$(MODULES:%=src/%/*.c))
	$(call say,AR)
	$Qrm -f $@ && $(AR) rcs $@ $^

$B/installed/config.o: src/config/config.c $B/flags $B/places
	$(call say,CC)
	$Qmkdir -p $(@D) && $(COMPILE) $(CONF_OF_INSTALLED) -MMD -MP -c -o $@ $<

$B/installed/p11vault: $B/installed/config.o
$B/p11vault $B/installed/p11vault: $(call objects,src/cli/*.c) $(LIBRARY)
	$(call say,LINK)
	$Q$(LINK) -o $@ $(filter-out $(LIBRARY),$^) $(LIBRARY) $(call libs_of,$(FRONT_LIBS))

$B/p11vault-card: $(call objects,src/cardroom/*.c) $(LIBRARY)
	$(call say,LINK)
	$Q$(LINK) -o $@ $^ $(call libs_of,$(CARD_LIBS))

$B/p11vault-exchange: $(call objects,src/exchangeroom/*.c) $(LIBRARY)
	$(call say,LINK)
	$Q$(LINK) -o $@ $^ $(call libs_of,$(EXCHANGE_LIBS))

# Tests.  Test code compares numbers of all types, where -Wconversion would only make it longer.
$B/tests/%.o: private COMPILE += -Wno-conversion

$(UNITS): $B/unit/%: $B/tests/unit/%.o $(LIBRARY)
	$(call say,LINK)
	$Qmkdir -p $(@D) && $(LINK) -o $@ $(filter %.o,$^) $(LIBRARY) -lcmocka $(call libs_of,$(EVERY_LIB))

# These look at a part of a program, which is not in the library.
LOOPBACK := $(call objects,src/exchangeroom/loopback*.c src/exchangeroom/result_page.c)
$B/unit/test_loopback $B/unit/test_loopback_request $B/unit/test_result_page: $(LOOPBACK)
$B/fuzz/fuzz_login_request $B/fuzz/fuzz_login_request.fuzz: $(LOOPBACK)

unit: $(UNITS)
	$Qfailed=0; for test in $(UNITS); do echo "$${test##*/}:"; $$test || failed=1; done; exit $$failed

# As many at once as there are processors, each with its words in one piece; first the one that makes RSA keys for minutes.
valgrind: $(UNITS)
	$Qprintf '%s\n' $B/unit/test_key $(filter-out %/test_key,$(UNITS)) | P11VAULT_UNDER_VALGRIND=1 xargs -P "$$(nproc)" -I{} \
	    sh -c '$(VALGRIND) {} >{}.valgrind 2>&1'; \
	failed=$$?; cat $(UNITS:%=%.valgrind); exit $$failed

# More than half of the time of these tests is waiting, for other processes, disks, and readers that are looked at every
# 400 ms: twice as many at once as there are processors.
AT_ONCE = $$((2 * $$(nproc)))

SHIM := $B/faults/shim.so
# A file's tests share what is made once for them, so they go to one worker.
system: all $(UNITS) $B/proof/flip $(SHIM)
	$QP11VAULT_BUILD='$(abspath $B)' $(PYTHON) -m pytest -q -n $(AT_ONCE) --dist loadfile tests/system

# All that the tests of the programs need.
tools: all $B/proof/flip $(SHIM) $(LOOKERS)

# What was found once: each with its test.  BREAK=1 brings every fault back and expects its test to fail.  FINDINGS='R1 R2': these.
findings: tools $(UNITS)
	$Q$(PYTHON) -B tests/findings/findings.py $(if $(RECORDED),--recorded $(RECORDED)) $(if $(BREAK),--break) \
	    $B $(FINDINGS)

# The attacks on the log, all of them where `make check` takes samples.  Ends with totals.
$B/proof/flip: $B/tests/proof/flip.o $(LIBRARY)
	$(call say,LINK)
	$Qmkdir -p $(@D) && $(LINK) -o $@ $^ $(call libs_of,$(FRONT_LIBS))

audit-proof: all $B/proof/flip
	$QP11VAULT_BUILD='$(abspath $B)' PYTHON='$(PYTHON)' tests/proof/run.sh

# What takes hours, all of it; `check` takes samples.
campaign: audit-proof faults matrix
	$QP11VAULT_BUILD='$(abspath $B)' P11VAULT_CAMPAIGN=1 $(PYTHON) -m pytest -q tests/system/test_refresh_kill.py \
	    tests/system/test_reseal_kill.py tests/system/test_disk_faults.py

# The scanner of memory and registers, what it proves itself on, and what takes system calls away.
$B/exposure/scan: $(call objects,tests/exposure/scan.c tests/exposure/needles.c tests/exposure/process.c)
	$(call say,LINK)
	$Qmkdir -p $(@D) && $(LINK) -o $@ $^
$B/exposure/plant: $B/tests/exposure/plant.o $(LIBRARY)
	$(call say,LINK)
	$Qmkdir -p $(@D) && $(LINK) -o $@ $^ $(call libs_of,libcrypto jansson)
$B/exposure/without: $B/tests/exposure/without.o
	$(call say,LINK)
	$Qmkdir -p $(@D) && $(LINK) -o $@ $^

# A module between p11vault and a real one that fails at the Nth call, as ordered.
$(SHIM): tests/faults/shim.c $B/flags
	$(call say,LINK)
	$Qmkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g $(filter-out -Wconversion,$(WARN)) -fPIC \
	    -shared $(shell $(PKG_CONFIG) --cflags p11-kit-1) -o $@ $<

# All of it with sanitizers; `check` holds a sample of both builds (FAULTS=EVERY: each nth fault).
FAULTS ?= 1
faults:
ifeq ($(SANITIZE),)
	$Q$(MAKE) SANITIZE=address,undefined faults-run
else
	$Q$(MAKE) faults-run
endif
faults-run: all $(SHIM)
	$Q$(PYTHON) -B tests/faults/campaign.py $B $(SHIM) $(FAULTS)

# The same tests over every PKCS#11 module there is; what was found is docs/cards-matrix.md.
matrix: all $(SHIM)
	$Q$(PYTHON) -B tests/matrix/matrix.py $B $(SHIM) $(or $(MATRIX),--write)

exposure: all $(LOOKERS)
	$QP11VAULT_BUILD='$(abspath $B)' $(PYTHON) -m pytest -q -n $(AT_ONCE) tests/exposure

# A simulated Rutoken behind the unmodified pcscd and OpenSC: tests/rutoken/README.md.
rutoken: all
	$QP11VAULT_BUILD='$(abspath $B)' $(PYTHON) -m pytest -q -n $(AT_ONCE) tests/rutoken

# A simulated YubiKey (PIV) behind the unmodified pcscd, OpenSC and ykcs11: tests/piv/README.md.
piv: all
	$QP11VAULT_BUILD='$(abspath $B)' $(PYTHON) -m pytest -q -n $(AT_ONCE) tests/piv

# Medians and ratios beside a shell pipeline; BENCH_ROUNDS=15.  Not a test, so not part of check.
bench: all
	$QP11VAULT_BUILD='$(abspath $B)' $(PYTHON) -B tests/bench/bench.py

# BENCH_GRANTS=1000 of three apps in one refresh.
batch-bench: all
	$QP11VAULT_BUILD='$(abspath $B)' $(PYTHON) -B tests/bench/batch.py

# What a log of a million entries costs (AUDIT_ENTRIES=…), beside the hashing alone.  Not a test either.
AUDIT_ENTRIES ?= 1000000
$B/bench/audit_bench: $B/tests/bench/audit_bench.o $(LIBRARY)
	$(call say,LINK)
	$Qmkdir -p $(@D) && $(LINK) -o $@ $^ $(call libs_of,$(FRONT_LIBS))

audit-bench: $B/bench/audit_bench
	$Q$B/bench/audit_bench $(AUDIT_ENTRIES)

# Fuzzers.  With clang they fuzz; with any compiler they also run their seeds as a plain test.
$(FUZZERS): $B/fuzz/%: $B/tests/fuzz/%.o $B/tests/fuzz/driver.o $(LIBRARY)
	$(call say,LINK)
	$Qmkdir -p $(@D) && $(LINK) -o $@ $(filter %.o,$^) $(LIBRARY) $(call libs_of,$(EVERY_LIB))

$(FUZZERS:%=%.fuzz): $B/fuzz/%.fuzz: $B/tests/fuzz/%.o $(LIBRARY)
	$(call say,LINK)
	$Qmkdir -p $(@D) && $(LINK) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(LIBRARY) $(call libs_of,$(EVERY_LIB))

fuzz-seeds: $(FUZZERS)
	$Qtests/checks/fuzz.sh seeds $(FUZZERS)
fuzz-run: $(FUZZERS:%=%.fuzz)
	$Qtests/checks/fuzz.sh $(FUZZ_SECONDS) $^
fuzz:
ifneq ($(findstring clang,$(CC)),)
	$Q$(MAKE) SANITIZE=address,undefined,fuzzer-no-link fuzz-run
else
	$Q$(MAKE) fuzz-seeds
endif

# Every header compiles alone: what it needs, it includes.
headers: $(HEADERS:%=$B/%.alone)
	@echo 'ok: $(words $(HEADERS)) headers compile alone'
$B/%.h.alone: %.h $B/flags
	$Qmkdir -p $(@D) && $(COMPILE) -Wno-unused-function -fsyntax-only -x c $< && touch $@

floors:
	$Qtests/checks/floors.sh
links: all
	$Qtests/checks/links.sh $B

# The marks depend on the objects, whose dependencies name the headers.  gcc analyses what was not
# optimised: what inlining leaves of clean-up by attribute it takes for uses of nothing.
ANALYZED := $(filter-out $(firstword $(CC)) -fcf-protection -D_FORTIFY_SOURCE=2,$(COMPILE))
analyze: $(SOURCES:%.c=$B/%.analyzed) $(SOURCES:%.c=$B/%.tidy)
	@echo 'ok: gcc -fanalyzer finds nothing in $(words $(SOURCES)) files'
	@echo 'ok: clang-tidy finds nothing in $(words $(SOURCES)) files'
$B/%.analyzed: %.c $B/%.o
	$(call say,ANALYZE)
	$Qgcc $(ANALYZED) -O0 -Werror -fanalyzer -c -o $@.o $< && touch $@
$B/%.tidy: %.c .clang-tidy $B/%.o
	$(call say,TIDY)
	$Qclang-tidy --quiet --warnings-as-errors='*' $< -- $(ANALYZED) 2>/dev/null && touch $@

# These two may have to install what the rest of this file asks pkg-config for, hence the new make.
check:
	@DEPS='$(DEPS)' tests/checks/deps.sh check
	@tests/checks/run.sh
demo:
	@DEPS='$(DEPS)' tests/checks/deps.sh build
	@$(MAKE) all
	$QP11VAULT_BUILD='$(abspath $B)' tests/standin/demo.sh
deps:
	@DEPS='$(DEPS)' tests/checks/deps.sh check

# Mode 0711, root's: a program that its user cannot read starts non-dumpable.  An installed room that starts otherwise refuses
# to work, so it is not installed by a user for himself; a package (DESTDIR) becomes root's when it is unpacked.
FOR_ROOT := programs that you install for yourself can be read by you, so they would not run: sudo make install
install: all
ifneq ($(SANITIZE),)
	@echo 'a build with sanitizers runs without walls and is not installed' >&2; exit 1
endif
	@[ -n '$(DESTDIR)' ] || [ "$$(id -u)" -eq 0 ] || { echo '$(FOR_ROOT)' >&2; exit 1; }
	$(INSTALL) -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(LIBEXECDIR)' '$(DESTDIR)$(DOCDIR)' '$(DESTDIR)$(CONFDIR)'
	$(INSTALL) -m 0711 $(INSTALLED) '$(DESTDIR)$(BINDIR)/p11vault'
	$(INSTALL) -m 0711 $B/p11vault-card $B/p11vault-exchange '$(DESTDIR)$(LIBEXECDIR)'
	$(INSTALL) -m 0644 conf/p11vault.conf conf/opensc.conf '$(DESTDIR)$(DOCDIR)'
	for page in $(MANUALS); do \
	    $(INSTALL) -D -m 0644 $$page '$(DESTDIR)$(MANDIR)'/man$${page##*.}/$${page##*/} || exit 1; \
	done
	@# What is there is the operator's.
	[ -e '$(DESTDIR)$(CONFDIR)/opensc.conf' ] || $(INSTALL) -m 0644 conf/opensc.conf '$(DESTDIR)$(CONFDIR)'
	@cmp -s conf/opensc.conf '$(DESTDIR)$(CONFDIR)/opensc.conf' || \
	    echo 'note: $(CONFDIR)/opensc.conf was kept; it differs from $(DOCDIR)/opensc.conf'
	$Q$(MAKE) --no-print-directory install-units

# The units name the program by its place.
install-units:
	$(INSTALL) -d '$(DESTDIR)$(UNITDIR)'
	for unit in $(UNITS_OF_SYSTEMD); do \
	    sed 's|@BINDIR@|$(BINDIR)|' conf/systemd/$$unit >'$(DESTDIR)$(UNITDIR)'/$$unit && \
	    chmod 0644 '$(DESTDIR)$(UNITDIR)'/$$unit || exit 1; \
	done

uninstall:
	rm -f $(foreach unit,$(UNITS_OF_SYSTEMD),'$(DESTDIR)$(UNITDIR)/$(unit)')
	rm -f '$(DESTDIR)$(BINDIR)/p11vault' $(patsubst %,'$(DESTDIR)$(LIBEXECDIR)/%',$(filter-out p11vault,$(PROGRAMS)))
	rm -f $(foreach page,$(MANUALS),'$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page))')
	rm -f '$(DESTDIR)$(DOCDIR)/p11vault.conf' '$(DESTDIR)$(DOCDIR)/opensc.conf'
	! cmp -s conf/opensc.conf '$(DESTDIR)$(CONFDIR)/opensc.conf' || rm -f '$(DESTDIR)$(CONFDIR)/opensc.conf'
	-rmdir '$(DESTDIR)$(LIBEXECDIR)' '$(DESTDIR)$(DOCDIR)' '$(DESTDIR)$(CONFDIR)'

clean:
	rm -rf build

help:
	@echo 'all        the programs: $(PROGRAMS)'
	@echo 'unit       unit tests                system    tests of the programs together'
	@echo 'fuzz       seeds; CC=clang: fuzzing  valgrind  unit tests under valgrind'
	@echo 'headers    each compiles alone       floors    who may include whom'
	@echo 'links      who may link what         analyze   gcc -fanalyzer and clang-tidy'
	@echo 'check      all of these, exposure, rutoken, piv, samples of faults and matrix'
	@echo 'demo       a first run against local stand-ins'
	@echo 'exposure   copies of secrets in the memory of the programs (as root)'
	@echo 'rutoken    a simulated Rutoken behind pcscd and OpenSC (as root)'
	@echo 'findings   what was found once, each with its test (BREAK=1: brings the faults back)'
	@echo 'piv        a simulated YubiKey behind pcscd, OpenSC and ykcs11 (as root)'
	@echo 'faults     every PKCS#11 call failing in every way (with sanitizers)'
	@echo 'matrix     the same tests over all modules; writes docs/cards-matrix.md'
	@echo 'bench      medians beside a shell pipeline: docs/benchmarks.md'
	@echo 'audit-proof every attack on the log (an hour); check takes samples'
	@echo 'campaign   this, faults and matrix, a batch of 1,000 killed at 50 moments, every write to a disk failing'
	@echo 'batch-bench what BENCH_GRANTS=1000 grants of three apps cost in one refresh'
	@echo 'audit-bench what a log of AUDIT_ENTRIES=1000000 costs'
	@echo 'deps       install what is needed (DEPS=no: never)'
	@echo 'install, uninstall (PREFIX DESTDIR), clean'
	@echo 'settings:  CC SANITIZE WERROR=1 V=1 CFLAGS LDFLAGS PREFIX SYSCONFDIR'

.PHONY: all unit valgrind system tools findings exposure rutoken piv faults faults-run matrix bench batch-bench audit-bench audit-proof campaign fuzz \
        fuzz-seeds fuzz-run headers floors links analyze check demo deps install install-units uninstall clean help FORCE
.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $B -name '*.d' 2>/dev/null)
