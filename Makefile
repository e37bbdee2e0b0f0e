# SPDX-License-Identifier: GPL-2.0-only
# connlife: one Makefile for everything. `make help` lists what it can do.

VERSION ?= 0.1.0
PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
UNITDIR ?= $(PREFIX)/lib/systemd/system
SHAREDIR ?= $(PREFIX)/share/connlife
COMPDIR ?= $(PREFIX)/share/bash-completion/completions

BUILD := build
CROSS_COMPILE ?=
CC := $(if $(filter default,$(origin CC)),$(CROSS_COMPILE)gcc,$(CC))
CLANG ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
PYTHON ?= /usr/bin/python3
ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')

CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -DCONNLIFE_VERSION='"$(VERSION)"' -Ibpf -Iuser -I$(BUILD) $(CFLAGS)
LIBS := -lbpf -lelf -lz

# How privileges are given up after the start.
LIBS += -lcap-ng -lseccomp

# The command top, by ncurses; TUI=0 leaves it out.
TUI ?= 1
ifeq ($(TUI),1)
ALL_CFLAGS += -DCONNLIFE_TUI
LIBS += -lncursesw
endif

# What systemd is told of the command export, by libsystemd; SYSTEMD=0 leaves it out.
SYSTEMD ?= 1
ifeq ($(SYSTEMD),1)
ALL_CFLAGS += -DCONNLIFE_SYSTEMD
LIBS += -lsystemd
endif

BPF_CFLAGS := -g -O2 -Wall -Wextra -Wno-unused-parameter -target bpf -D__TARGET_ARCH_$(ARCH) \
	-Ivmlinux -Ibpf

ifneq ($(SAN),)
ALL_CFLAGS += -fsanitize=address,undefined -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
endif

# libFuzzer is clang's, whatever the rest is built with; SAN=1 adds nothing to it.
FUZZ_CFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
	-Wno-unused-function -Itests/fuzz
# Small tables are made fast, and are full soon.
FUZZ_CFLAGS += -DCHUNK_CONNS=8 -DHALFOPEN_MAX=16 -DSTRANGERS_MAX=32 -DMAP_FIRST_SLOTS=16 \
	-DCGROUPS_TOLD_MAX=4
# jansson, which reads there what is written, has functions of these names too.
FUZZ_CFLAGS += -Djson_string=connlife_json_string -Djson_null=connlife_json_null
# Comparisons of input bytes lead libFuzzer to new paths in what reads texts and frames; the
# engine and the writers get as far without, and sooner.
FUZZ_COVERAGE :=
FUZZ_LIBS := -ljansson

ifeq ($(V),)
Q := @
say = @echo "  $(1) $(2)"
endif

# The pure parts and the views: all that unit tests may link, no libbpf in it.
PURE := $(wildcard user/base/*.c user/core/*.c user/views/*.c) user/sources/recording.c \
	user/sources/proctext.c user/sources/ahead.c user/sources/keeper.c user/textfile.c \
	user/jsonfile.c
REST := $(wildcard user/sources/*.c user/*.c)
PURE_OBJS := $(PURE:%.c=$(BUILD)/%.o)
REST_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(PURE),$(REST)))
BPF_OBJS := $(patsubst bpf/%.bpf.c,$(BUILD)/bpf/%.bpf.o,$(wildcard bpf/*.bpf.c))
UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
KERNEL_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/kernel/test_*.c))
FUZZERS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_OBJS := $(PURE:user/%.c=$(BUILD)/fuzz/%.o) $(BUILD)/fuzz/options.o $(BUILD)/fuzz/values.o
FUZZ_RUNS ?= 10000000
FUZZ_SECONDS ?= 0
SKEL := $(BUILD)/connlife.skel.h

all: $(BUILD)/connlife

help:
	@echo "make             build build/connlife"
	@echo "sudo make run    install what is missing, build, trace this host (ARGS='life -x')"
	@echo "sudo make demo   a dozen real connections in two network namespaces, and their lives"
	@echo "sudo make test   install what is missing, build, run all tests"
	@echo "sudo make test-kernels   boots Debian's kernels from 5.10 on in QEMU and looks there"
	@echo "sudo make sanitized SAN=1 BUILD=build-san   replay, kernel and some live tests with sanitizers"
	@echo "make unit        the tests that need neither root nor a kernel"
	@echo "make fuzz        libFuzzer on every reader and writer (FUZZ_RUNS=$(FUZZ_RUNS), FUZZ_SECONDS, FUZZ='parse json')"
	@echo "make rules       the tests of alerts, dashboard and unit (promtool, systemd-analyze)"
	@echo "make check       the direction of includes, the format of the code, budgets"
	@echo "sudo make bench  what connlife costs, beside tcplife and tcpstates"
	@echo "sudo make soak   three tracers under a mixed load, their memory and descriptors (SOAK_MINUTES=30)"
	@echo "make bench-parts what engine and writers cost alone, without root (ARGS='--check --json FILE')"
	@echo "make budgets     counts the instructions of the pure parts (ARGS=--update: the new budgets)"
	@echo "make deb         a Debian package, in $(BUILD)/deb"
	@echo "sudo make test-deb   builds it, judges it with lintian, installs it in a clean Debian"
	@echo "sudo make test-arm64 builds for arm64 in a Debian tree, runs that under QEMU"
	@echo "make completion  the tests of the completion for bash"
	@echo "make manpage     the tests of the manual page: all options, fields and metrics are in it"
	@echo "make install     to PREFIX ($(PREFIX)), below DESTDIR if set"
	@echo "make clean       remove build/"
	@echo "TUI=0            builds without the command top, which needs ncurses"
	@echo "ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- builds for another machine"
	@echo "SYSTEMD=0        builds without libsystemd: a service that says nothing to systemd"
	@echo "Options: V=1 shows commands, SAN=1 builds with address and undefined-behaviour sanitizers"

# What the flags were: when they change, everything is built anew.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(CLANG) $(BPF_CFLAGS)' | cmp -s - $@ || \
		echo '$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(CLANG) $(BPF_CFLAGS)' > $@

# 32-bit arithmetic makes packets cheaper; the hooks it makes slower to verify, by 0.3 s a start.
$(BUILD)/bpf/packet.bpf.o: BPF_CFLAGS += -mcpu=v3
$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(BUILD)/flags
	$(call say,BPF ,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/connlife.bpf.o: $(BPF_OBJS)
	$(call say,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(SKEL): $(BUILD)/connlife.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name connlife_bpf > $@.tmp && mv $@.tmp $@

$(BUILD)/user/%.o: user/%.c $(BUILD)/flags
	$(call say,CC  ,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# The skeleton is made, not found: who includes it must wait for it the first time.
$(patsubst %,$(BUILD)/user/sources/%.o,duties live probe watching variants): | $(SKEL)

$(BUILD)/connlife: $(PURE_OBJS) $(REST_OBJS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

LOAD_FILES := $(addprefix tools/,load.c load_options.c load_server.c load_client.c flood.c)
$(BUILD)/load: $(LOAD_FILES) tools/load.h tools/flood.h $(BUILD)/flags
	$(call say,CC  ,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -pthread -o $@ $(filter %.c,$^)

$(BUILD)/tests/unit/%: tests/unit/%.c $(PURE_OBJS) $(BUILD)/flags
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(PURE_OBJS) -lcmocka

# What tries harm after privileges were given up, with the program's own code for that.
$(BUILD)/tests/harm: tests/harm/harm.c $(patsubst %,$(BUILD)/user/%.o,privileges landlock \
		syscalls sources/keeper base/log) $(BUILD)/flags
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $(filter %.c %.o,$^) -lcap-ng -lseccomp

# The virtual machines have no libraries but those of connlife.
$(BUILD)/tests/kernels/acts: tests/kernels/acts.c $(BUILD)/flags
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -Wall -Wextra -O2 -static -o $@ $<

$(BUILD)/tests/kernels/relocate: tests/kernels/relocate.c $(PURE_OBJS) \
		$(patsubst %,$(BUILD)/user/sources/%.o,variants storage kernel) $(BUILD)/flags | $(SKEL)
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $(filter %.c %.o,$^) $(LIBS)

# The duties as they are in the program: all of it but main().
$(BUILD)/tests/kernel/test_duties: tests/kernel/test_duties.c $(PURE_OBJS) \
		$(filter-out %/user/main.o,$(REST_OBJS)) $(BUILD)/flags | $(SKEL)
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $(filter %.c %.o,$^) $(LIBS) -lcmocka

$(BUILD)/tests/kernel/test_netns: tests/kernel/test_netns.c $(PURE_OBJS) \
		$(BUILD)/user/sources/netns.o $(BUILD)/flags
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $(filter %.c %.o,$^) -lcmocka

$(BUILD)/tests/kernel/%: tests/kernel/%.c $(BUILD)/flags | $(SKEL)
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(LIBS) -lcmocka

$(BUILD)/fuzz/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CLANG) $(ALL_CFLAGS) $(FUZZ_CFLAGS)' | cmp -s - $@ || \
		echo '$(CLANG) $(ALL_CFLAGS) $(FUZZ_CFLAGS)' > $@

$(BUILD)/fuzz/%.o: user/%.c $(BUILD)/fuzz/flags
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(ALL_CFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link $(FUZZ_COVERAGE) -MMD -MP -c $< -o $@

FUZZ_UNTRACED := $(addprefix $(BUILD)/tests/fuzz/fuzz_,engine json tables prom metrics drawings top)
$(BUILD)/fuzz/base/%.o $(BUILD)/fuzz/core/%.o $(BUILD)/fuzz/views/%.o $(FUZZ_UNTRACED): \
	private FUZZ_COVERAGE := -fno-sanitize-coverage=trace-cmp,indirect-calls
$(patsubst %,$(BUILD)/fuzz/core/%.o,cgroups decode unit): private FUZZ_COVERAGE :=

$(BUILD)/fuzz/pure.a: $(FUZZ_OBJS)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# What would end the program is wrapped.
$(BUILD)/tests/fuzz/fuzz_options: private FUZZ_LIBS := -Wl,--wrap=argp_parse,--wrap=wrong_usage,--wrap=argp_state_help

$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(BUILD)/fuzz/pure.a $(BUILD)/fuzz/flags
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(ALL_CFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer $(FUZZ_COVERAGE) -MMD -MP -o $@ $< \
		$(BUILD)/fuzz/pure.a $(FUZZ_LIBS)

# What the pure parts cost; its counts depend on the options they were compiled with.
PARTS_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/*.c))
$(BUILD)/tests/bench/%.o: tests/bench/%.c $(BUILD)/flags
	$(call say,CC  ,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -DPARTS_FLAGS='"$(strip $(CFLAGS) $(LDFLAGS))"' -MMD -MP -c $< -o $@

$(BUILD)/tests/bench/parts: $(PARTS_OBJS) $(PURE_OBJS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^

unit: $(UNIT_TESTS)
	@for test in $(abspath $(UNIT_TESTS)); do $$test || exit 1; done

# What is found lies in BUILD/corpus, and what breaks something too. With -j several at a time.
FUZZ ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz: $(FUZZ:%=fuzz-%)

.PHONY: $(FUZZ:%=fuzz-%)
$(FUZZ:%=fuzz-%): fuzz-%: $(BUILD)/tests/fuzz/fuzz_%
	@tests/fuzz/run $(BUILD) $* -runs=$(FUZZ_RUNS) -max_total_time=$(FUZZ_SECONDS)

# As root: what is missing is installed first, then make starts over with it in place.
setup:
	@tools/setup build

run: setup
	@$(MAKE) --no-print-directory all
	@exec $(BUILD)/connlife $(ARGS)

demo:
	@tools/setup build demo
	@$(MAKE) --no-print-directory all
	@tools/demo $(BUILD)/connlife

test:
	@tools/setup build test
	@$(MAKE) --no-print-directory all unit $(KERNEL_TESTS) $(FUZZERS) $(BUILD)/load \
		$(BUILD)/tests/harm $(BUILD)/tests/bench/parts
	@tests/run $(BUILD)

# More than `make unit SAN=1` holds: `make sanitized SAN=1 BUILD=build-san`.
sanitized:
	@tools/setup build test
	@$(MAKE) --no-print-directory all $(KERNEL_TESTS) $(BUILD)/load
	@tests/sanitized $(BUILD)

# One connlife in virtual machines with Debian's kernels from 5.10 on (SUITES="bullseye sid").
test-kernels:
	@tools/setup build kernels
	@$(MAKE) --no-print-directory all $(BUILD)/load $(BUILD)/tests/kernels/acts \
		$(BUILD)/tests/kernels/relocate
	@tests/kernels/run $(BUILD) $(SUITES)

# Alerts, dashboard and unit: needs neither root nor a kernel.
rules:
	@tests/rules

check:
	@tools/check-deps
	@tools/check-format
	@$(MAKE) --no-print-directory budgets

# Without ARGS: every figure that there is a bar for.
bench:
	@tools/setup build bench
	@$(MAKE) --no-print-directory all $(BUILD)/load $(BUILD)/tests/bench/parts \
		$(BUILD)/tests/kernel/test_packet_cost
	@tests/bench/bench $(BUILD)/connlife $(BUILD)/load $(ARGS)
ifeq ($(ARGS),)
	@$(BUILD)/tests/kernel/test_packet_cost | grep '^cost of'
	@$(BUILD)/tests/bench/parts
endif

# Bounded, and no part of `make test`: does what the tracers take stay what it was?
SOAK_MINUTES ?= 30
soak:
	@tools/setup build demo
	@$(MAKE) --no-print-directory all $(BUILD)/load
	@CONNLIFE=$(BUILD)/connlife tests/soak $(SOAK_MINUTES)

# Without root or a kernel: engine, writers and memory, as ratios to copying and looking up.
bench-parts: $(BUILD)/tests/bench/parts
	@$(BUILD)/tests/bench/parts $(ARGS)

# Instructions of the pure parts, counted by callgrind and compared with tests/budgets.txt.
budgets:
	@tools/setup build test
	@$(MAKE) --no-print-directory $(BUILD)/tests/bench/parts
	@tests/budgets $(BUILD) $(ARGS)

install: all
	install -D -m 0755 $(BUILD)/connlife $(DESTDIR)$(SBINDIR)/connlife
	install -D -m 0644 tools/connlife.8 $(DESTDIR)$(PREFIX)/share/man/man8/connlife.8
	install -d $(DESTDIR)$(UNITDIR) $(addprefix $(DESTDIR)$(SHAREDIR)/,prometheus grafana systemd)
	sed 's|/usr/sbin/|$(SBINDIR)/|' tools/systemd/connlife.service > \
		$(DESTDIR)$(UNITDIR)/connlife.service
	chmod 0644 $(DESTDIR)$(UNITDIR)/connlife.service
	install -m 0644 tools/systemd/cgroups.conf tools/systemd/connlife.default \
		$(DESTDIR)$(SHAREDIR)/systemd
	install -m 0644 tools/prometheus/*.yml $(DESTDIR)$(SHAREDIR)/prometheus
	install -m 0644 tools/grafana/connlife.json $(DESTDIR)$(SHAREDIR)/grafana
	install -D -m 0644 tools/completion/connlife.bash $(DESTDIR)$(COMPDIR)/connlife

uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/connlife $(DESTDIR)$(PREFIX)/share/man/man8/connlife.8
	rm -f $(DESTDIR)$(UNITDIR)/connlife.service $(DESTDIR)$(COMPDIR)/connlife
	rm -rf $(DESTDIR)$(SHAREDIR)

# The tree as Debian's tools want it: a copy, with debian/ in it.
DEBTREE := $(BUILD)/deb/connlife-$(VERSION)
deb:
	@tools/setup build deb
	@grep -qF 'connlife ($(VERSION))' tools/debian/changelog || \
		{ echo "tools/debian/changelog tells nothing of version $(VERSION)" >&2; exit 1; }
	rm -rf $(BUILD)/deb
	mkdir -p $(DEBTREE)
	tar -c --exclude=__pycache__ Makefile README.md LICENSE bpf user vmlinux tests tools | \
		tar -x -C $(DEBTREE)
	cp -r tools/debian $(DEBTREE)/debian
	cd $(DEBTREE) && env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS dpkg-buildpackage -b -us -uc
	@ls -l $(BUILD)/deb/*.deb

test-deb:
	@tools/setup build deb
	@tests/deb

# In a tree of its own; what is built there lies in BUILD/arm64.
test-arm64:
	@tools/setup build deb
	@tests/arm64 $(BUILD)

completion: all
	@tests/completion $(BUILD)/connlife

manpage: all
	@tests/manpage $(BUILD)/connlife

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -path $(BUILD)/arm64 -prune -o -name '*.d' -print 2>/dev/null)

FORCE:
.PHONY: all help unit fuzz setup run demo test sanitized test-kernels check rules bench soak bench-parts budgets install uninstall deb test-deb test-arm64 completion manpage clean FORCE
.DELETE_ON_ERROR:
