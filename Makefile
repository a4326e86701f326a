# For people who type make. Meson and ninja do the work; ./run and ./check install what is missing
# first, and need no make.
BUILD ?= build
JOBS  ?=
SECONDS ?= 60
PREFIX ?= /usr/local

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) $(JOBS)

$(BUILD)/build.ninja:
	@meson setup $(BUILD) $(SETUP)

# The server with its test programme, on port 8000.
run:
	@./run $(ARGS)

# All that machines can prove, or one step of it: make check STEP=static
check:
	@./check $(STEP)

asan tsan:
	@./check $@

# 60 s for each fuzz target; SECONDS=5 for less, TARGET=mp3 for one.
fuzz:
	@test -f build-fuzz/build.ninja || CC=clang meson setup build-fuzz -Dfuzz=true
	@ninja -C build-fuzz
	@tools/fuzz.sh build-fuzz $(SECONDS) $(TARGET)

# Against Icecast and the raw limit, in the same run. ARGS="capacity memory" for a part.
bench: all
	@bench/radio.py $(ARGS)

format:
	@clang-format -i $$(git ls-files '*.c' '*.h')

# The pages that are written from the tables of settings.
man: all
	@tools/man.sh $(BUILD)

install: $(BUILD)/build.ninja
	@meson configure $(BUILD) --prefix=$(PREFIX)
	@meson install -C $(BUILD)

clean:
	rm -rf build build-*

.PHONY: all run check asan tsan fuzz bench format man install clean
