# SPDX-License-Identifier: Apache-2.0
#
# make            build; installs nothing
# make demo       set up a fresh Debian 12, build, show the main job (ONCE=1: end by itself)
# make test       set up a fresh Debian 12, build, run every test (SAN=asan|tsan: sanitized)
# make fuzz       throw bytes at whatever reads them, FUZZ_SECONDS=600 each (clang)
# make soak       an hour of events, 10,000 a second: memory stays flat (some ten minutes)
# make swarm      a thousand slaves, N=1000, and a master that comes and goes, SECONDS=600
# make bench      measure; make install DESTDIR=… PREFIX=…; make clean

PREFIX     ?= /usr/local
SBINDIR    ?= $(PREFIX)/sbin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
SYSCONFDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc)/satellite
MODULEDIR  ?= $(LIBDIR)/satellite
DATADIR    ?= $(PREFIX)/share/satellite
PKG_CONFIG ?= pkg-config
VERSION    := 0.1.0

ifneq ($(filter-out asan tsan,$(SAN)),)
$(error SAN=$(SAN): asan or tsan)
endif
O          ?= build$(addprefix -,$(SAN))
SAN_asan   := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
SAN_tsan   := -fsanitize=thread
CFLAGS     ?= -O2 -g
WARN       := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
              -Wwrite-strings -Werror=implicit-function-declaration $(if $(CI),-Werror)
# -fno-plt: all is bound at start (-z now), so a call needs no stub.
ALL_CFLAGS  = -std=gnu11 $(WARN) -D_GNU_SOURCE -DSAT_VERSION='"$(VERSION)"' \
              -DSAT_MODULEDIR='"$(MODULEDIR)"' -DSAT_SYSCONFDIR='"$(SYSCONFDIR)"' \
              -Ilib -fPIC -fno-plt -fvisibility=hidden -MMD -MP $(SAN_$(SAN)) $(CFLAGS)
ALL_LDFLAGS = $(SAN_$(SAN)) -Wl,-z,relro,-z,now $(LDFLAGS)

HOST_PKGS  := libuv libconfig libpcre2-8 yajl
HOST_LIBS   = $(shell $(PKG_CONFIG) --libs $(HOST_PKGS)) -ldl -lm -pthread
# What a module links beyond the host it is loaded into.
LIBS_http-civetweb := -lcivetweb
LIBS_client-curl   := -lcurl
LIBS_store-sqlite  := -lsqlite3
LIBS_tasks         := -lsqlite3
LIBS_store-zookeeper := -lzookeeper_mt
LIBS_leader-zookeeper := -lzookeeper_mt
LIBS_tls-openssl   := -lssl -lcrypto
LIBS_metrics       := -lz

LIB      := $(patsubst %.c,$(O)/%.o,$(wildcard lib/*.c))
HOST     := $(O)/satellite.o $(LIB)
MODNAMES := $(patsubst modules/%.c,%,$(wildcard modules/*.c)) \
            $(patsubst modules/%/,%,$(filter-out modules/,$(dir $(wildcard modules/*/*.c))))
MODNAMES := $(sort $(MODNAMES))
MODULES  := $(MODNAMES:%=$(O)/modules/%.so)
UNITS    := $(patsubst %.c,$(O)/%,$(wildcard test/unit/test_*.c))
SIM      := $(patsubst %.c,$(O)/%.o,$(wildcard test/sim/*.c))
BENCHES  := $(patsubst %.c,$(O)/%,$(wildcard test/bench/*.c))

all: $(O)/satellite $(MODULES) $(if $(SIM),$(O)/satellite-sim)

# Objects, not an archive: ld drops archive members that only modules call.
$(O)/satellite: $(HOST) lib/satellite.sym
	$(CC) $(ALL_LDFLAGS) -Wl,--dynamic-list=lib/satellite.sym -o $@ $(HOST) $(HOST_LIBS) $(LDLIBS)

# The sources of a module: one file, or every file of its folder.
module_objs = $(patsubst %.c,$(O)/$(2)%.o,$(wildcard modules/$(1).c modules/$(1)/*.c))

# Link, then let the host load it: what the link cannot see, this does.
define module_rule
$(O)/modules/$(1).so: $(call module_objs,$(1)) $(O)/satellite
	$(CC) -shared $(ALL_LDFLAGS) -o $$@.tmp $(call module_objs,$(1)) $(LIBS_$(1)) $(LDLIBS)
	$(O)/satellite module $$@.tmp --names > $$(@:.so=.names).tmp
	mv $$(@:.so=.names).tmp $$(@:.so=.names) && mv $$@.tmp $$@
endef
$(foreach m,$(MODNAMES),$(eval $(call module_rule,$(m))))

# A unit test links the host's objects and, where it is named after a module, that module:
# test_x, or, of one of its files, test_x_file.  Those that use unit/flow.h have operators, and
# those that use OpenSSL our TLS.
tested = $(firstword $(subst _, ,$(1)))
FLOW := flow change limit window index shape select dual fill numbers cluster blackhole
linked = $(if $(shell grep -l unit/flow.h test/unit/test_$(1).c),$(FLOW),$(sort $(call tested,$(1)) \
  $(if $(shell grep -l '<openssl/' test/unit/test_$(1).c),tls-openssl)))
WRAPPED := malloc calloc realloc aligned_alloc strdup open read write fsync fchmod rename socket bind listen fcntl \
  accept4 recvmmsg pthread_create uv_poll_init uv_tcp_open uv_pipe_open uv_read_start \
  uv_spawn uv_write dlsym
WRAPS := $(WRAPPED:%=-Wl,--wrap=%)
define unit_rule
$(O)/test/unit/test_$(1): $(O)/test/unit/test_$(1).o $(O)/test/unit/fault.o $(O)/test/unit/builtin.o $(LIB) \
  $(foreach m,$(call linked,$(1)),$(call module_objs,$(m),builtin/))
	$(CC) $(ALL_LDFLAGS) $(WRAPS) -Wl,--dynamic-list=lib/satellite.sym -o $$@ $$^ \
	  $(shell $(PKG_CONFIG) --libs cmocka) $(HOST_LIBS) $(foreach m,$(call linked,$(1)),$(LIBS_$(m))) $(LDLIBS)
endef
$(foreach u,$(patsubst test/unit/test_%.c,%,$(wildcard test/unit/test_*.c)),$(eval $(call unit_rule,$(u))))

$(O)/satellite-sim: $(SIM)
	$(CC) $(ALL_LDFLAGS) -o $@ $(SIM) $(shell $(PKG_CONFIG) --libs libuv libcjson) -lm $(LDLIBS)
$(O)/test/bench/%: $(O)/test/bench/%.o
	$(CC) $(ALL_LDFLAGS) -o $@ $< $(shell $(PKG_CONFIG) --libs libuv) -lm -pthread $(LDLIBS)

$(O)/test/bench/zkset: LDLIBS += -lzookeeper_mt
# It reads a state as the module does.
$(O)/test/bench/state: $(O)/test/bench/state.o $(LIB) $(call module_objs,mesos-master,builtin/)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(HOST_LIBS) -lcjson $(LDLIBS)

$(O)/test/%.o: ALL_CFLAGS += -Itest -DSAT_BUILTIN
$(O)/builtin/%.o: ALL_CFLAGS += -DSAT_BUILTIN
$(O)/builtin/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<
$(O)/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Rewritten only when the flags change; every object depends on it.
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)' | cmp -s - $@ || \
	 echo '$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)' > $@

setup:
	@test/setup.sh

# All cores, unless the caller said how many.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

test: setup
	@$(MAKE) --no-print-directory $(JOBS) check

# The tests alone, on a machine that has what they need.
check: all $(UNITS) $(BENCHES)
	@O=$(O) test/run.sh

demo:
	@test/setup.sh demo
	@$(MAKE) --no-print-directory $(JOBS) all
	@O=$(O) test/demo.sh

bench: all $(BENCHES)
	@O=$(O) test/bench/run.sh
	@O=$(O) test/bench/whitelist.sh
	@O=$(O) test/bench/slave.sh
	@O=$(O) test/bench/metrics.sh
	@O=$(O) test/bench/mesos.sh
	@test/bench/blackhole.py $(O)/satellite

soak: all $(BENCHES)
	@O=$(O) test/soak.sh

swarm: all
	@test/swarm.py $(O)/satellite $(or $(N),1000) $(or $(SECONDS),600)

# Objects of their own, since libFuzzer wants them instrumented.
FUZZERS := $(patsubst test/fuzz/%.c,%,$(wildcard test/fuzz/*.c))
SAN_fuzz := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
$(O)/test/fuzz/streams: $(foreach m,$(FLOW),$(call module_objs,$(m),builtin/))
$(O)/test/fuzz/streams: LDLIBS += $(shell $(PKG_CONFIG) --libs cmocka)
$(O)/test/fuzz/ws: $(O)/modules/http-civetweb/frames.o
$(O)/test/fuzz/http-head: $(O)/modules/http-civetweb/head.o
$(O)/test/fuzz/perfdata: $(O)/modules/command/perfdata.o
$(O)/test/fuzz/master-info: $(O)/modules/leader-zookeeper/info.o $(O)/modules/leader-zookeeper/url.o
$(O)/test/fuzz/%: $(O)/test/fuzz/%.o $(LIB)
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -Wl,--dynamic-list=lib/satellite.sym -o $@ $^ $(HOST_LIBS) $(LDLIBS)

fuzz:
	@$(MAKE) --no-print-directory SAN= O=build-fuzz CC=clang SAN_='$(SAN_fuzz)' $(FUZZERS:%=build-fuzz/test/fuzz/%)
	@for f in $(FUZZERS); do echo "fuzz $$f"; mkdir -p build-fuzz/corpus/$$f; d=test/fuzz/$$f.dict; \
	  build-fuzz/test/fuzz/$$f -max_total_time=$${FUZZ_SECONDS:-20} -timeout=10 \
	  -artifact_prefix=build-fuzz/$$f- $$([ ! -e $$d ] || echo -dict=$$d) build-fuzz/corpus/$$f test/fuzz/corpus/$$f \
	  > build-fuzz/$$f.log 2>&1 || { tail -n 60 build-fuzz/$$f.log; exit 1; }; done

install: all
	install -d '$(DESTDIR)$(SBINDIR)' '$(DESTDIR)$(MODULEDIR)' '$(DESTDIR)$(INCLUDEDIR)/satellite' \
	  '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(SYSCONFDIR)' \
	  '$(DESTDIR)$(MANDIR)/man5' '$(DESTDIR)$(MANDIR)/man7' '$(DESTDIR)$(MANDIR)/man8' '$(DESTDIR)$(BASHDIR)' '$(DESTDIR)$(DATADIR)'
	install $(O)/satellite '$(DESTDIR)$(SBINDIR)'
	install -m 644 $(MODULES) $(MODULES:.so=.names) '$(DESTDIR)$(MODULEDIR)'
	install -m 644 lib/satellite/module.h '$(DESTDIR)$(INCLUDEDIR)/satellite'
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@MODULEDIR@|$(MODULEDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|; s|@VERSION@|$(VERSION)|' \
	  lib/satellite.pc.in > '$(DESTDIR)$(LIBDIR)/pkgconfig/satellite.pc'
	for f in etc/*.cfg; do t='$(DESTDIR)$(SYSCONFDIR)'/$${f##*/}; [ -e "$$t" ] || install -m 644 $$f "$$t"; done
	install -m 644 etc/prometheus-rules.yml etc/grafana-dashboard.json '$(DESTDIR)$(DATADIR)'
	install -m 644 etc/satellite.bash-completion '$(DESTDIR)$(BASHDIR)/satellite'
	for s in 5 7 8; do for f in man/*.$$s; do [ ! -e $$f ] || \
	  install -m 644 $$f '$(DESTDIR)$(MANDIR)'/man$$s; done; done

clean:
	$(RM) -r build build-*

FORCE:
.PHONY: all setup test check demo bench soak swarm fuzz install clean FORCE
.SECONDARY:
.DELETE_ON_ERROR:
ifeq ($(V),)
.SILENT:
endif
-include $(shell find $(O) -name '*.d' 2>/dev/null)
