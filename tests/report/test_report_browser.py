"""The report in a browser: it works by mouse and keyboard, on a phone, at night and on paper, and asks for nothing."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.browser import Browser, program
from tests.report.built import HOSTILE, LOOKS, LYRICS
from unisono.config.experiments import Experiment
from unisono.report.html import page
from unisono.report.html.page import Inputs

pytestmark = pytest.mark.skipif(
    program() is None, reason="no chromium here; install it (Debian: apt-get install --no-install-recommends chromium)"
)
GALLERY = "#gallery-view"
SELECTS = {"set": 1, "method": 2, "direction": 3, "query": 4}


@pytest.fixture(scope="module")
def written(project: tuple[dict[str, Experiment], Inputs], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the small project."""
    out = tmp_path_factory.mktemp("page") / "report.html"
    page.write(project[0], LOOKS, project[1], out)
    return out


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser for all tests."""
    path = program()
    assert path is not None
    opened = Browser(path, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture
def shown(tab: Browser, written: Path) -> Iterator[Browser]:
    """The report on a desk, in the light; at the end nothing was complained of and nothing asked for."""
    tab.open(written)
    yield tab
    assert tab.complaints() == []
    assert tab.requests() == [written.as_uri()]


def select(name: str) -> str:
    return f"{GALLERY} label:nth-of-type({SELECTS[name]}) select"


def choose(tab: Browser, name: str, value: str) -> None:
    tab.run(f"""(() => {{ const box = document.querySelector("{select(name)}"); box.value = "{value}";
        box.dispatchEvent(new Event("change")); }})()""")


def texts(tab: Browser, selector: str) -> list[str]:
    return list(tab.run(f"[...document.querySelectorAll({selector!r})].map((e) => e.textContent)"))


# ---- Loading ----


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_it_loads_without_a_word_and_without_the_network(tab: Browser, written: Path, width: int, dark: bool) -> None:
    tab.open(written, width=width, dark=dark)
    assert tab.complaints() == []
    assert tab.requests() == [written.as_uri()]
    assert tab.run("window.hacked") is None
    assert tab.run("document.documentElement.scrollWidth <= window.innerWidth")
    assert tab.run("[...document.images].every((image) => image.loading === 'lazy' || image.naturalWidth > 0)")


def test_the_policy_refuses_what_is_not_its_own(tab: Browser, written: Path) -> None:
    tab.open(written)
    refused = """new Promise((done) => { const image = new Image(); image.onerror = () => done(true);
        image.onload = () => done(false); image.src = "http://127.0.0.1:9/x.png"; })"""
    assert tab.run(refused)
    assert tab.run("fetch('http://127.0.0.1:9/').then(() => false, () => true)")
    tab.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.hacked = 1'}))")
    assert tab.run("window.hacked") is None


# ---- Tables ----

ROWS = "#table_5_2 tbody th"


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_a_table_is_sorted(shown: Browser, by: str) -> None:
    before = texts(shown, ROWS)
    button = "#table_5_2 thead th:nth-child(2) button"

    def activate() -> None:
        if by == "mouse":
            shown.click(button)
        else:
            shown.run(f"document.querySelector('{button}').focus()")
            shown.press("Enter")

    activate()
    assert texts(shown, ROWS)[:2] == ["C-CCA", "CCA"]
    assert shown.run("document.querySelector('#table_5_2 thead th:nth-child(2)').ariaSort") == "descending"
    assert "descending" in shown.run("document.getElementById('announce').textContent")
    activate()
    # What has no number of ours stays at the end.
    assert texts(shown, ROWS)[:2] == ["CCA", "C-CCA"]
    assert sorted(texts(shown, ROWS)) == sorted(before)
    assert texts(shown, "#table_5_2 tfoot th") == ["chance"]


def test_a_written_table_is_sorted_by_its_numbers(shown: Browser) -> None:
    shown.click("#table_3_1 thead th:nth-child(2) button")
    assert texts(shown, "#table_3_1 tbody td:nth-child(2)") == ["10", "9"]
    shown.click("#table_3_1 thead th:nth-child(2) button")
    assert texts(shown, "#table_3_1 tbody td:nth-child(2)") == ["9", "10"]
    shown.click("#table_3_1 thead th:nth-child(1) button")
    assert texts(shown, "#table_3_1 tbody td:nth-child(1)") == ["x", "y"]


# ---- Gallery ----


def test_the_gallery_is_worked_by_mouse(shown: Browser) -> None:
    assert texts(shown, f"{select('set')} option") == ["VEGAS", "Songs", "MV-10K", "MTM", "Image2song"]
    first = texts(shown, f"{GALLERY} .asked h4")
    shown.click(f"{GALLERY} .controls button:last-child")
    assert texts(shown, f"{GALLERY} .asked h4") != first
    shown.click(f"{GALLERY} .controls button:nth-last-child(2)")
    assert texts(shown, f"{GALLERY} .asked h4") == first
    assert shown.run(f"document.querySelector('{GALLERY} .controls button:nth-last-child(2)').disabled")


def test_the_gallery_is_worked_by_keyboard(shown: Browser) -> None:
    choose(shown, "set", "mv10k")
    shown.run(f'document.querySelector("{select("set")}").focus()')
    seen = []
    for name in SELECTS:
        before = shown.run(f'document.querySelector("{select(name)}").value')
        shown.press("ArrowDown")
        assert shown.run(f'document.activeElement === document.querySelector("{select(name)}")')
        assert shown.run(f'document.querySelector("{select(name)}").value') != before
        seen.append(texts(shown, f"{GALLERY} output"))
        shown.press("Tab")
    assert len({str(one) for one in seen}) == len(seen)
    while not shown.run("document.activeElement.ariaLabel === 'Next query'"):
        shown.press("Tab")
    before = texts(shown, f"{GALLERY} .asked h4")
    shown.press("Enter")
    assert texts(shown, f"{GALLERY} .asked h4") != before


def test_right_and_wrong_are_said_in_words_and_lines(shown: Browser) -> None:
    hits = shown.run(f"""[...document.querySelectorAll("{GALLERY} .hit.right, {GALLERY} .hit.wrong")].map((hit) =>
        [hit.className, hit.querySelector(".mark").textContent, getComputedStyle(hit).borderTopStyle,
         hit.querySelector("h4").textContent])""")
    assert len(hits) == 10
    query = texts(shown, f"{GALLERY} .asked h4")[0]
    label = "(dog)" if "(dog)" in query else HOSTILE
    for kind, mark, line, title in hits:
        right = label in title
        assert ("right" in kind) == right
        assert ("✓ right" in mark) == right
        assert ("✗ wrong" in mark) != right
        assert line == ("solid" if right else "dashed")
    n = sum("right" in hit[0] for hit in hits)
    assert f"{n} of the first 10 right" in texts(shown, f"{GALLERY} output")[0]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("vegas", "audio img"),
        ("mtm", "audio img blockquote"),
        ("mv10k", "img"),
        ("songs", "audio blockquote"),
        ("image2song", "blockquote"),
    ],
)
def test_items_are_seen_and_heard(shown: Browser, name: str, kinds: str) -> None:
    choose(shown, "set", name)
    for kind in ("audio", "img", "blockquote"):
        n = shown.run(f"document.querySelectorAll('{GALLERY} .hits {kind}').length")
        assert (n >= 10) == (kind in kinds.split()), kind
    assert shown.run(f"""Promise.all([...document.querySelectorAll("{GALLERY} img")].map((image) =>
        image.decode().then(() => image.naturalWidth > 0)))""") == [True] * shown.run(
        f"document.querySelectorAll('{GALLERY} img').length"
    )
    if "audio" in kinds:
        played = shown.run(f"""(async () => {{ const sound = document.querySelector("{GALLERY} .hits audio");
            await sound.play();
            await new Promise((done) => sound.addEventListener("timeupdate", done, {{ once: true }}));
            return [sound.error, sound.duration]; }})()""")
        assert played[0] is None
        assert played[1] == pytest.approx(0.5, abs=0.1)


def test_one_sound_plays_at_a_time(shown: Browser) -> None:
    both = shown.run(f"""(async () => {{ const sounds = [...document.querySelectorAll("{GALLERY} audio")].slice(0, 2);
        for (const sound of sounds) await sound.play(); return sounds.map((sound) => sound.paused); }})()""")
    assert both == [True, False]


def test_hostile_names_are_shown_as_they_are(shown: Browser) -> None:
    choose(shown, "set", "mtm")
    assert texts(shown, f"{GALLERY} .asked .about") == [HOSTILE]
    assert texts(shown, f"{GALLERY} .asked blockquote")[0].startswith(HOSTILE)
    assert shown.run("window.hacked") is None
    assert shown.run("document.querySelectorAll('img:not([alt])').length") == 0


def test_a_song_shows_its_title_and_six_words_as_they_are(shown: Browser) -> None:
    choose(shown, "set", "songs")
    assert texts(shown, f"{GALLERY} .asked .about") == [HOSTILE]
    assert texts(shown, f"{GALLERY} .asked blockquote") == [" ".join(LYRICS.split()[:6]) + " …"]
    assert shown.run("window.hacked") is None
    assert shown.run(f"document.querySelectorAll('{GALLERY} .hits audio').length") >= 10


def test_a_song_is_found_with_the_music_that_its_method_saw(shown: Browser) -> None:
    choose(shown, "set", "mtm")
    choose(shown, "direction", "audio->sheet")
    source = f"document.querySelector('{GALLERY} .hits img').src"
    first = shown.run(source)
    choose(shown, "method", "1")
    assert shown.run(source) != first


def test_a_direction_of_pictures_and_songs_has_queries_of_its_own(shown: Browser) -> None:
    choose(shown, "set", "image2song")
    options, query = f"{select('query')} option", f"{GALLERY} .asked h4"
    for direction, own, others in (("image->lyrics", "p", "l"), ("lyrics->image", "l", "p")):
        choose(shown, "direction", direction)
        assert {text[0] for text in texts(shown, options)} == {own}
        assert len(texts(shown, options)) == 2
        for method, n_right in (("0", 4), ("1", 6)):
            choose(shown, "method", method)
            assert texts(shown, query)[0].startswith(f"Query, given as {direction.split('->')[0]}: {own}")
            found = texts(shown, f"{GALLERY} .hits h4")
            assert {text.split()[-1][0] for text in found} == {others}, found
            marks = texts(shown, f"{GALLERY} .mark")
            assert sum(mark.startswith("✓ right: cat") for mark in marks) == n_right, marks
    # What they have in common is said as text.
    choose(shown, "direction", "image->lyrics")
    options_of = f"document.querySelector('{select('query')}').options"
    choose(shown, "query", shown.run(f"{options_of}[1].value"))
    assert any(HOSTILE in mark for mark in texts(shown, f"{GALLERY} .mark"))
    assert shown.run("window.hacked") is None


# ---- Charts ----


def test_a_chart_is_read_by_mouse_and_keyboard(shown: Browser) -> None:
    chart = '[data-chart="figure_5_3"]'
    assert shown.run(f"document.querySelectorAll('{chart} svg[role=group]').length") == 2
    shown.hover_at(f"""(() => {{ const curve = document.querySelector('{chart} .panel svg .curve');
        curve.scrollIntoView({{ block: "center", behavior: "instant" }});
        const at = curve.getPointAtLength(curve.getTotalLength() / 2).matrixTransform(curve.getScreenCTM());
        return [at.x, at.y]; }})()""")
    assert re.fullmatch(r".+: [\d.]+ at [\d.]+", texts(shown, f"{chart} .tip")[0])
    shown.run(f"document.querySelector('{chart} .panel svg').focus()")
    shown.press("ArrowRight")
    first = texts(shown, "#announce")[0]
    assert first.startswith("CCA: ")
    shown.press("ArrowDown")
    assert texts(shown, "#announce")[0].startswith("C-CCA: ")


def test_a_curve_is_hidden_and_shown(shown: Browser) -> None:
    chart = '[data-chart="figure_5_3"]'
    curves = f"document.querySelectorAll('{chart} .panel .curve').length"
    before = shown.run(curves)
    shown.click(f"{chart} .legend button")
    assert shown.run(curves) == before - 2
    shown.press("Enter")
    assert shown.run(curves) == before


# ---- Light, phone, paper, aids ----


def test_light_and_dark_follow_the_system_and_the_button(tab: Browser, written: Path) -> None:
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    tab.open(written)
    light = tab.run(ground)
    tab.open(written, dark=True)
    dark = tab.run(ground)
    assert light != dark
    assert tab.run("document.getElementById('theme').ariaPressed") == "true"
    tab.click("#theme")
    assert tab.run(ground) == light
    tab.click("#theme")
    assert tab.run(ground) == dark
    tab.run("localStorage.clear()")


def test_a_phone_shows_everything_without_scrolling_aside(tab: Browser, written: Path) -> None:
    tab.open(written, width=360, height=800)
    for name in ("vegas", "mv10k", "mtm", "songs", "image2song"):
        choose(tab, "set", name)
        assert tab.run("document.documentElement.scrollWidth") <= 360
    assert not tab.run("document.querySelector('nav details').open")
    # Wide tables scroll by themselves, also with the keyboard.
    assert tab.run("[...document.querySelectorAll('.scroll')].every((e) => e.tabIndex === 0 && e.ariaLabel)")


def test_it_prints(tab: Browser, written: Path) -> None:
    tab.open(written, dark=True)
    pdf = base64.b64decode(tab.call("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF")
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert tab.run("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.run("getComputedStyle(document.querySelector('nav')).display") == "none"


def test_everything_that_can_be_used_has_a_name(shown: Browser) -> None:
    choose(shown, "set", "mtm")
    nodes: list[dict[str, Any]] = shown.call("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "combobox", "link", "image", "Audio", "audio", "region", "navigation", "table", "group"}
    nameless = [
        node
        for node in nodes
        if not node.get("ignored")
        and node["role"]["value"] in roles - {"group", "table"}
        and not node.get("name", {}).get("value")
    ]
    assert nameless == []
    found = {node["role"]["value"] for node in nodes if not node.get("ignored")}
    assert {"banner", "main", "navigation", "contentinfo", "button", "combobox", "image", "table"} <= found


def test_the_focus_is_seen(shown: Browser) -> None:
    shown.press("Tab")
    assert shown.run("document.activeElement.textContent") == "Skip to the content"
    assert shown.run("document.activeElement.getBoundingClientRect().left >= 0")
    for _ in range(12):
        shown.press("Tab")
        assert shown.run("getComputedStyle(document.activeElement).outlineStyle") != "none"
        assert shown.run("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2


def test_nothing_moves_for_those_who_ask_for_stillness(tab: Browser, written: Path) -> None:
    tab.open(written)
    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    assert tab.run("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    assert tab.run("document.getAnimations().length") == 0


def test_a_page_of_nothing_opens_as_well(
    tab: Browser, project: tuple[dict[str, Experiment], Inputs], tmp_path: Path
) -> None:
    nowhere = Inputs(**dict.fromkeys(vars(project[1]), tmp_path / "nowhere"))
    out = tmp_path / "report.html"
    out.write_text(page.to_html(project[0], LOOKS, nowhere, {}), encoding="utf-8")
    tab.open(out)
    assert tab.complaints() == []
    assert tab.run("document.querySelectorAll('.missing').length") > 20
