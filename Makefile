# The front door for people who type make. Meson and ninja do the work; ./run and ./check install
# what is missing first.
BUILD ?= build
JOBS  ?=

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) $(JOBS)

$(BUILD)/build.ninja:
	@meson setup $(BUILD) $(SETUP)

clean:
	rm -rf build build-*

format:
	@clang-format -i $$(git ls-files '*.c' '*.h')

.PHONY: all clean format
