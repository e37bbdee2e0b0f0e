# SPDX-License-Identifier: GPL-2.0-only
# connlife: one Makefile for everything. `make help` lists what it can do.

VERSION ?= 0.1.0
PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
UNITDIR ?= $(PREFIX)/lib/systemd/system
SHAREDIR ?= $(PREFIX)/share/connlife

BUILD := build
CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
PYTHON ?= /usr/bin/python3
ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')

CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -DCONNLIFE_VERSION='"$(VERSION)"' -Ibpf -Iuser -I$(BUILD) $(CFLAGS)
LIBS := -lbpf -lelf -lz

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

FUZZ_CFLAGS := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all

ifeq ($(V),)
Q := @
say = @echo "  $(1) $(2)"
endif

# The pure parts and the views: all that unit tests may link, no libbpf in it.
PURE := $(wildcard user/base/*.c user/core/*.c user/views/*.c) user/sources/recording.c \
	user/textfile.c user/jsonfile.c
REST := $(wildcard user/sources/*.c user/*.c)
PURE_OBJS := $(PURE:%.c=$(BUILD)/%.o)
REST_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(PURE),$(REST)))
BPF_OBJS := $(patsubst bpf/%.bpf.c,$(BUILD)/bpf/%.bpf.o,$(wildcard bpf/*.bpf.c))
UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
KERNEL_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/kernel/test_*.c))
FUZZERS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_RUNS ?= 10000000
SKEL := $(BUILD)/connlife.skel.h

all: $(BUILD)/connlife

help:
	@echo "make             build build/connlife"
	@echo "sudo make run    install what is missing, build, trace this host (ARGS='life -x')"
	@echo "sudo make demo   a dozen real connections in two network namespaces, and their lives"
	@echo "sudo make test   install what is missing, build, run all tests"
	@echo "make unit        the tests that need neither root nor a kernel"
	@echo "make fuzz        random frames for the parser (FUZZ_RUNS=$(FUZZ_RUNS)), with sanitizers"
	@echo "make rules       the tests of alerts, dashboard and unit (promtool, systemd-analyze)"
	@echo "make check       the direction of includes and the format of the code"
	@echo "sudo make bench  what connlife costs, beside tcplife and tcpstates"
	@echo "make install     to PREFIX ($(PREFIX)), below DESTDIR if set"
	@echo "make clean       remove build/"
	@echo "TUI=0            builds without the command top, which needs ncurses"
	@echo "SYSTEMD=0        builds without libsystemd: a service that says nothing to systemd"
	@echo "Options: V=1 shows commands, SAN=1 builds with address and undefined-behaviour sanitizers"

# What the flags were: when they change, everything is built anew.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(CLANG) $(BPF_CFLAGS)' | cmp -s - $@ || \
		echo '$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(CLANG) $(BPF_CFLAGS)' > $@

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
$(BUILD)/user/sources/live.o $(BUILD)/user/sources/probe.o $(BUILD)/user/sources/watching.o: | $(SKEL)

$(BUILD)/connlife: $(PURE_OBJS) $(REST_OBJS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/load: tools/load.c $(BUILD)/flags
	$(call say,CC  ,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -pthread -o $@ $<

$(BUILD)/tests/unit/%: tests/unit/%.c $(PURE_OBJS) $(BUILD)/flags
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(PURE_OBJS) -lcmocka

$(BUILD)/tests/kernel/%: tests/kernel/%.c $(BUILD)/flags | $(SKEL)
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(LIBS) -lcmocka

$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(BUILD)/flags
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(FUZZ_CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $<

unit: $(UNIT_TESTS)
	@for test in $(abspath $(UNIT_TESTS)); do $$test || exit 1; done

fuzz: $(FUZZERS)
	@for fuzzer in $(abspath $(FUZZERS)); do $$fuzzer $(FUZZ_RUNS) || exit 1; done

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
	@$(MAKE) --no-print-directory all unit $(KERNEL_TESTS) $(FUZZERS) $(BUILD)/load
	@tests/run $(BUILD)

# Alerts, dashboard and unit: needs neither root nor a kernel.
rules:
	@tests/rules

check:
	@tools/check-deps
	@tools/check-format

bench:
	@tools/setup build bench
	@$(MAKE) --no-print-directory all $(BUILD)/load
	@tests/bench/bench $(BUILD)/connlife $(BUILD)/load $(ARGS)

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

uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/connlife $(DESTDIR)$(PREFIX)/share/man/man8/connlife.8
	rm -f $(DESTDIR)$(UNITDIR)/connlife.service
	rm -rf $(DESTDIR)$(SHAREDIR)

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

FORCE:
.PHONY: all help unit fuzz setup run demo test check rules bench install uninstall clean FORCE
.DELETE_ON_ERROR:
