"""The page in a browser: from the disk, without a network, in every light and width, by mouse and by keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from llm_gc.reports.html import page
from llm_gc.reports.html.outline import outline
from llm_gc.reports.html.timeline import timeline
from llm_gc.transcript.encode import dumps, messages_of
from llm_gc.transcript.records import AttemptRecord, Transcript, TurnRecord
from tests.browser import PHONE, WIDE, Looker, browser
from tests.shown import hostile, long, rich
from tests.talks import answer_all, talk
from tests.transcript.test_transcript import transcript

pytestmark = pytest.mark.slow

NASTY = [
    "<script>window.hurt = 1</script>",
    '<img src="http://127.0.0.1:9/x.png" onerror="window.hurt = 2">',
    "![x](http://127.0.0.1:9/y.png) [link](javascript:window.hurt=3)",
    "</script><script>window.hurt = 4</script><!-- <script>",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \u202egnorw",
    "```html\n<script>window.hurt = 5</script>\n```",
]
WIDE_TEXTS = [
    "x" * 600,
    "| " + " | ".join(f"column{n}" for n in range(40)) + " |\n" + "| - " * 40 + "|\n" + "| 123456789 " * 40 + "|",
    "```\n" + "code_without_an_end_" * 40 + "\n```",
    "- " * 15 + "deep",
    "> " * 15 + "deep",
    "https://example.org/" + "a" * 300,
]


@pytest.fixture(scope="module")
def started() -> Iterator[Browser]:
    """One browser for all tests here."""
    with browser() as running:
        yield running


@pytest.fixture
def looker(started: Browser) -> Looker:
    """One look at it."""
    return Looker(started)


def put(folder: Path, told: Transcript) -> Path:
    """Write the page of a transcript."""
    file = folder / "page.html"
    file.write_text("".join(page(told)), encoding="utf-8")
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The page of a session with some of everything."""
    return put(tmp_path, rich())


def focused(opened: Page) -> Any:
    """Return the id of what has the focus."""
    return opened.evaluate("document.activeElement.id")


# --- It is safe


@pytest.mark.parametrize("told", [rich(), hostile(*NASTY), hostile(*WIDE_TEXTS)], ids=["rich", "hostile", "wide"])
def test_it_opens_from_the_disk_and_asks_for_nothing(looker: Looker, tmp_path: Path, told: Transcript) -> None:
    """No message on the console, no error, no request but for the file itself; all of it opened."""
    with looker.open(put(tmp_path, told)) as opened:
        opened.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        opened.wait_for_function(
            "document.querySelectorAll('.sent').length === document.querySelectorAll('.request').length"
        )
        assert opened.locator("article").count() == len(told.turns)


def test_what_models_wrote_stays_text(looker: Looker, tmp_path: Path) -> None:
    """Scripts, handlers, images and escapes of terminals can be read, in replies and in requests; none acts."""
    with looker.open(put(tmp_path, hostile(*NASTY))) as opened:
        opened.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        opened.wait_for_selector("article:last-of-type .sent .proof.good")
        for link in opened.locator(".said a").all():
            link.click()
        assert opened.evaluate("window.hurt") is None
        assert opened.locator("img").count() == 0
        assert opened.locator("main script").count() == 0
        said = opened.locator("article .body").all_inner_texts()
        assert said[0] == NASTY[0]
        assert said[1] == NASTY[1]
        assert said[2] == "[image: x http://127.0.0.1:9/y.png] [link](javascript:window.hurt=3)"
        assert said[4].startswith("␛[31mred␛[0m ␛]0;title␇ \ufffdgnorw")
        assert NASTY[0] in opened.locator("article:last-of-type .sent").inner_text()
        assert opened.evaluate("document.title") == "hostile · 20260102T030405Z-hostile"


def test_the_policy_holds(looker: Looker, file: Path) -> None:
    """Whatever came into the page all the same could not run, style or load: the browser refuses it."""
    with looker.open(file) as opened:
        opened.evaluate("""() => {
            window.refused = [];
            document.addEventListener('securitypolicyviolation', (e) => window.refused.push(e.effectiveDirective));
            const image = new Image(); image.src = 'http://127.0.0.1:9/x.png';
            const script = document.createElement('script'); script.append('window.hurt = 1');
            const style = document.createElement('style'); style.append('* { color: red }');
            try { document.body.append(image, style, script); } catch {}
            fetch('http://127.0.0.1:9/').catch(() => {});
        }""")
        opened.wait_for_function("window.refused.length >= 3")
        refused = opened.evaluate("window.refused")
        assert {"img-src", "style-src-elem", "connect-src"} <= set(refused)
        assert opened.evaluate("window.hurt") is None
        with pytest.raises(Exception, match="TrustedHTML"):
            opened.evaluate("document.body.innerHTML = '<b>x</b>'")
        looker.messages.clear()  # the browser's word on each
        del looker.requests[1:]  # that for the image, which was refused


# --- It is true


def test_the_bars_match_the_figures(looker: Looker, file: Path) -> None:
    """On the screen each phase begins and ends where its seconds are on the time line, beside the right turn."""
    told = rich()
    bars, whole = timeline(outline(told.turns))
    with looker.open(file) as opened:
        rows = opened.locator(".timeline li").all()
        assert len(rows) == len(told.turns)
        for row, turn in zip(rows, told.turns, strict=True):
            assert turn.label in row.inner_text()
            box = row.locator("svg").bounding_box()
            assert box is not None
            now = bars[turn.id].start
            drawn = row.locator("rect").all()
            assert [rect.get_attribute("class") for rect in drawn] == [phase for phase, _ in bars[turn.id].phases]
            for rect, (_, seconds) in zip(drawn, bars[turn.id].phases, strict=True):
                found = rect.bounding_box()
                assert found is not None
                assert found["x"] - box["x"] == pytest.approx(box["width"] * now / whole, abs=0.6)
                assert found["width"] == pytest.approx(box["width"] * seconds / whole, abs=0.6)
                now += seconds


def test_the_marks_of_the_time_line_stand_where_they_say(looker: Looker, file: Path) -> None:
    """The line of 30 s is where a turn of 30 s would end that began at once."""
    _, whole = timeline(outline(rich().turns))
    with looker.open(file) as opened:
        texts = opened.locator(".ticks text").all_text_contents()
        lines = opened.locator(".grid line").all()
        bar = opened.locator(".timeline li svg").first.bounding_box()
        assert bar is not None
        assert len(texts) == len(lines) > 2
        for text, line in zip(texts, lines, strict=True):
            found = line.bounding_box()
            assert found is not None
            assert found["x"] - bar["x"] == pytest.approx(
                bar["width"] * float(text.removesuffix(" s")) / whole, abs=1.5
            )


def mixed() -> Transcript:
    """Return a conversation whose requests share parts of their middle: the steps differ in what they see."""
    own: Any = {"say": "anna", "sees": "own", "instruction": "And?"}
    few: Any = {"say": "ben", "sees": {"from": "all", "last": 1}}
    conversation = talk(
        ["anna", "ben", "anna", own, few, {"say": "anna", "result": "Well."}, "ben", own, "anna", few, "ben"]
    )
    answer_all(conversation, *(f"words {number}" for number in range(11)))
    return transcript(conversation)


@pytest.mark.parametrize("told", [rich(), mixed()], ids=["rich", "mixed"])
def test_every_request_is_put_together_exactly(looker: Looker, tmp_path: Path, told: Transcript) -> None:
    """Every turn's and every repair's: the messages are those that were sent, and the page proves it by their hash."""
    file = put(tmp_path, told)
    tried: list[TurnRecord | AttemptRecord]
    tried = [attempt for turn in told.turns for attempt in turn.attempts if attempt.request is not None]
    with looker.open(file) as opened:
        opened.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        count = len(told.turns) + len(tried)
        opened.wait_for_function(f"document.querySelectorAll('.proof.good, .proof.bad').length === {count}")
        assert opened.locator(".proof.good").count() == count
        shown = opened.evaluate("""() => [...document.querySelectorAll('.request')].map((request) => [
            request.dataset.id,
            [...request.querySelectorAll('section:not(.options, .format)')].map((section) => (
                {role: section.querySelector('h4').textContent, content: section.querySelector('pre').textContent}
            )),
        ])""")
    sent = {record.id: messages_of(told, record) for record in [*told.turns, *tried]}
    assert len(shown) == count
    assert dict(shown) == sent


@pytest.mark.parametrize("content", ["äöü \U0001f600 \x7f \u2028", '\\ " / \b \f \t \x00', "lone \udc80 half"])
def test_the_proof_reads_every_character_as_it_was_sent(looker: Looker, tmp_path: Path, content: str) -> None:
    """What is hashed in the browser is what was hashed in Python, to the byte."""
    with looker.open(put(tmp_path, hostile(content, content, content))) as opened:
        opened.evaluate("for (const d of document.querySelectorAll('.request')) d.open = true")
        opened.wait_for_function("document.querySelectorAll('.proof.good').length === 3")


def test_a_session_that_was_changed_is_found_out(looker: Looker, tmp_path: Path) -> None:
    """Its requests are shown, and said not to be those that were sent."""
    file = put(tmp_path, rich())
    text = file.read_text(encoding="utf-8")
    assert text.count('"You write Python."') == 1
    file.write_text(text.replace('"You write Python."', '"You write Perl."'), encoding="utf-8")
    with looker.open(file) as opened:
        request = opened.locator("#t2 > .inner > .more > .request")
        request.locator("summary").click()
        request.locator(".proof.bad").wait_for()
        assert "the session was changed" in request.locator(".proof.bad").inner_text()


@pytest.mark.parametrize("part", [{"text": "nothing"}, {"text": None, "turn": "nobody"}], ids=["text", "turn"])
def test_a_request_that_lacks_a_part_says_so(looker: Looker, tmp_path: Path, part: dict[str, Any]) -> None:
    """The session was changed: the other requests are shown all the same."""
    told = rich()
    turn = told.turns[1]
    parts = (replace(turn.request.parts[0], **part), *turn.request.parts[1:])
    broken = replace(turn, request=replace(turn.request, parts=parts, keep=0))
    with looker.open(put(tmp_path, replace(told, turns=(told.turns[0], broken, *told.turns[2:])))) as opened:
        for name in ("t1", "t2"):
            opened.locator(f"#{name} > .inner > .more > .request > summary").click()
        assert "the session was changed" in opened.locator("#t2 > .inner > .more > .request .proof.bad").inner_text()
        opened.locator("#t1 .proof.good").wait_for()


# --- It can be used


def test_it_is_used_by_keys_alone(looker: Looker, file: Path) -> None:
    """From turn to turn and back, to its ends, requests and thoughts, the theme, and the help that tells of these."""
    with looker.open(file) as opened:
        press = opened.keyboard.press
        press("j")
        assert focused(opened) == "t1"
        press("ArrowRight")
        press("j")
        assert focused(opened) == "t3"
        press("k")
        press("ArrowLeft")
        press("k")
        assert focused(opened) == "t1"
        press("t")
        assert opened.locator("#t1 .thinking pre").is_visible()
        press("r")
        opened.locator("#t1 .request .sent").wait_for()
        press("r")
        assert not opened.locator("#t1 .request .sent").is_visible()
        press("G")
        assert focused(opened) == "t12"
        assert opened.locator("#t12").evaluate("e => e.getBoundingClientRect().top < innerHeight")
        assert opened.locator(".timeline li.now").inner_text().startswith("12")
        press("g")
        assert focused(opened) == "t1"
        press("?")
        assert opened.locator("dialog").is_visible()
        press("j")
        assert not focused(opened).startswith("t2")
        press("Escape")
        assert not opened.locator("dialog").is_visible()


def test_the_focus_can_be_seen(looker: Looker, file: Path) -> None:
    """The way by Tab begins at the skip link; whatever has the focus has an outline."""
    with looker.open(file) as opened:
        opened.keyboard.press("Tab")
        assert opened.evaluate("document.activeElement.className") == "skip"
        assert opened.locator(".skip").bounding_box() != {"x": -1600}
        seen = set()
        for _ in range(25):
            opened.keyboard.press("Tab")
            style = opened.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert style != "none"
            seen.add(opened.evaluate("document.activeElement.localName"))
        assert {"button", "nav", "a", "summary"} <= seen
        opened.keyboard.press("j")
        assert opened.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_row_of_the_time_line_leads_to_its_turn(looker: Looker, file: Path) -> None:
    """By a click, and then by keys from there."""
    with looker.open(file) as opened:
        opened.locator(".timeline li", has_text="judge").click()
        assert focused(opened) == "t12"
        opened.keyboard.press("k")
        assert focused(opened) == "t11"


def test_it_has_landmarks_and_names(looker: Looker, file: Path) -> None:
    """For those who hear the page: one main part, a head, a way around, and every turn with its name."""
    with looker.open(file) as opened:
        for role in ("main", "banner", "contentinfo", "navigation"):
            assert opened.get_by_role(role).count() == 1
        assert opened.get_by_role("heading", level=1).inner_text() == "durations"
        assert opened.get_by_role("article", name="2 coder", exact=True).count() == 1
        assert opened.get_by_role("region", name="3 branches side by side").count() == 1
        assert opened.get_by_role("table").first.get_by_role("row").count() > 6
        assert opened.evaluate("document.documentElement.lang") == "en"


def test_without_a_script_all_but_the_requests_is_there(looker: Looker, file: Path) -> None:
    """And the page says so."""
    with looker.open(file, java_script_enabled=False) as opened:
        assert opened.locator("article").count() == len(rich().turns)
        assert opened.locator("#t1 .said").is_visible()
        assert "Without JavaScript" in opened.locator("noscript").inner_text()


# --- It is good to look at


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 2000])
@pytest.mark.parametrize("told", [rich(), hostile(*NASTY, *WIDE_TEXTS)], ids=["rich", "wide"])
def test_nothing_hangs_over_the_edge(looker: Looker, tmp_path: Path, told: Transcript, width: int) -> None:
    """Whatever the width and however long the words, the page is never scrolled sideways, all of it opened."""
    with looker.open(put(tmp_path, told), (width, 844)) as opened:
        opened.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        opened.wait_for_selector("article:last-of-type .sent")
        assert opened.evaluate("document.documentElement.scrollWidth") <= width


def test_branches_stand_side_by_side_where_there_is_room(looker: Looker, file: Path) -> None:
    """On a phone they follow each other."""
    with looker.open(file, WIDE) as opened:
        boxes = [branch.bounding_box() for branch in opened.locator(".branch").all()]
        assert len({box["y"] for box in boxes if box}) == 1
        assert len({box["x"] for box in boxes if box}) == 3
    with looker.open(file, PHONE) as opened:
        boxes = [branch.bounding_box() for branch in opened.locator(".branch").all()]
        assert len({box["x"] for box in boxes if box}) == 1
        assert len({box["y"] for box in boxes if box}) == 3


def test_many_branches_and_deep_ones(looker: Looker, tmp_path: Path) -> None:
    """A block of a hundred, and blocks in blocks, stay within the page."""
    deep: Any = "anna"
    for _ in range(6):
        deep = {"parallel": ["ben", {"do": [deep]}]}
    conversation = talk([{"parallel": ["anna"], "times": 100}, deep], limits={"max_turns": 200})
    answer_all(conversation)
    for size in (WIDE, PHONE):
        with looker.open(put(tmp_path, transcript(conversation)), size) as opened:
            assert opened.locator("article").count() == 107
            assert opened.evaluate("document.documentElement.scrollWidth") <= size[0]


CONTRAST = """() => {
    const light = (colour) => {
        const canvas = document.createElement('canvas').getContext('2d');
        canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => {
            v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const under = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const colour = getComputedStyle(e).backgroundColor;
            if (!colour.startsWith('rgba(0, 0, 0, 0')) return colour;
        }
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = {};
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const text = walker.currentNode.data.trim();
        if (!text || !element.checkVisibility() || element.closest('svg, script, style')) continue;
        const [a, b] = [light(getComputedStyle(element).color), light(under(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) found[element.localName + '.' + element.className] = [ratio, text];
    }
    return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read_in_both_lights(looker: Looker, file: Path, scheme: Any) -> None:
    """Every text on the page has a contrast of 4.5 to 1 at least, as WCAG 2 asks for."""
    with looker.open(file, color_scheme=scheme) as opened:
        opened.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        opened.wait_for_selector("#t12 .proof.good")
        assert opened.evaluate(CONTRAST) == {}


def test_dark_and_light(looker: Looker, file: Path) -> None:
    """The system's choice, until somebody makes another; that one is kept for the next time."""
    ground = "getComputedStyle(document.body).backgroundColor"
    with looker.open(file, color_scheme="light") as opened:
        light = opened.evaluate(ground)
        opened.emulate_media(color_scheme="dark")
        dark = opened.evaluate(ground)
        assert light != dark
        opened.wait_for_function("document.getElementById('theme').innerText === 'Light'")  # it is told a little later
        opened.locator("#theme").click()
        assert opened.evaluate(ground) == light
        opened.reload()
        assert opened.evaluate(ground) == light
        opened.keyboard.press("d")
        assert opened.evaluate(ground) == dark
        looker.requests.pop()  # the second look


def test_on_paper(looker: Looker, file: Path) -> None:
    """Light whatever the theme, without buttons, the whole time line, every turn, and where links lead."""
    with looker.open(file, color_scheme="dark") as opened:
        opened.emulate_media(media="print")
        assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        for hidden in (".tools", ".skip", "details", "dialog"):
            assert not opened.locator(hidden).first.is_visible()
        assert opened.locator(".timeline").evaluate("e => e.scrollHeight <= e.clientHeight")
        assert all(turn.is_visible() for turn in opened.locator("article").all())
        assert opened.pdf().startswith(b"%PDF")


# --- It is quick


def test_a_thousand_turns(looker: Looker, tmp_path: Path) -> None:
    """The page stays under 5 MB, the last turn is a key away, and its request is put together on demand."""
    told = long(1000)
    assert len(dumps(told)) > 1_500_000
    file = put(tmp_path, told)
    assert file.stat().st_size < 5_000_000
    with looker.open(file) as opened:
        opened.keyboard.press("G")
        assert focused(opened) == "t1000"
        opened.keyboard.press("r")
        opened.locator("#t1000 .proof.good").wait_for()
        texts = opened.locator("#t1000 .sent section:not(.options) pre").all_text_contents()
        assert texts == [message["content"] for message in messages_of(told, told.turns[-1])]
        assert opened.locator(".sent").count() == 1
        assert re.fullmatch(r"1000\s+ben\s+[\d.]+ s", opened.locator(".timeline li.now").inner_text())
