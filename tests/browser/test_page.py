"""What a person does with a card: looks into it, moves through it, folds it, clicks."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import models
from tests.browser.stage import Stage, staged

pytestmark = pytest.mark.browser


def text(stage: Stage, selector: str) -> str:
    return stage.page.locator(selector).first.inner_text()


def test_the_current_state_counts_on_by_the_kernels_clock(browser: Browser) -> None:
    """The time in a state and the elapsed time go on each second; the page's clock may be wrong."""
    with staged(browser) as stage:
        # It stands still, but for what the test lets pass.
        stage.page.clock.install()
        stage.page.clock.pause_at(time.time() + 60)
        wrong = stage.page.evaluate("Date.now() / 1000") - 5000
        card = models.running()
        card = moved(card, wrong - card["now"])
        card["now"] += 0.5  # within a second, whatever is rounded
        stage.card(card)
        stage.set("card", card)
        now = stage.page.locator(".nbb-now")
        expect(now.locator(".nbb-step-time")).to_have_text("2 m 14 s")
        expect(stage.page.locator(".nbb-time")).to_have_text("4 m 0 s")
        stage.page.clock.run_for(61_000)

        expect(now.locator(".nbb-step-time")).to_have_text("3 m 15 s")
        expect(stage.page.locator(".nbb-time")).to_have_text("5 m 1 s")
        expect(now).to_have_attribute("aria-current", "step")
        times = stage.page.locator(".nbb-step-time").all_inner_texts()
        assert times[:3] == ["2 s", "1 m 12 s", "32 s"]


def moved(card: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return the same card at another time."""
    for each in (card, *card["steps"]):
        for name in ("since", "until", "now"):
            if each.get(name) is not None:
                each[name] += seconds
    return card


def test_a_longer_state_is_a_longer_segment(browser: Browser) -> None:
    """Lengths hint at times: none vanishes, none takes all."""
    with staged(browser) as stage:
        stage.card(models.running())
        short, long, middle = (
            stage.page.locator(".nbb-segment").nth(i).bounding_box()["width"] for i in range(3)
        )

        assert 40 < short < middle < long < 5 * short


def test_earlier_attempts_stand_above_and_fold_up(browser: Browser) -> None:
    """Two are shown; of more only the last one, and the others on a click."""
    with staged(browser) as stage:
        stage.card(models.running(earlier=models.attempts(2)))
        rows = stage.page.locator(".nbb-attempts li")
        expect(rows).to_have_count(2)
        assert "Failed after 4 m 2 s: Host EC2" in rows.first.inner_text()
        stage.set("card", models.running(earlier=models.attempts(5)))
        expect(rows).to_have_count(1)
        assert "Attempt 5" in rows.first.inner_text()
        stage.page.get_by_role("button", name="4 earlier attempts").click()
        stage.set("card", models.running(earlier=models.attempts(6)))

        expect(rows).to_have_count(6)
        assert stage.errors == []


def test_a_chart_tells_its_values(browser: Browser) -> None:
    """By pointer and by arrow keys; its name tells a screen reader now, peak and limit."""
    with staged(browser) as stage:
        stage.card(models.running())
        memory = stage.page.locator(".nbb-meter").nth(1)
        chart = memory.get_by_role("img")
        expect(chart).to_have_accessible_name(
            "Memory over time: now 9.4 of 16 GB, peak 12.1 GB, limit 16 GB"
        )
        figure = memory.locator(".nbb-figure")
        expect(figure).to_have_text("9.4 of 16 GB")
        chart.hover(position={"x": 1, "y": 10})
        expect(memory.locator(".nbb-then")).to_have_text("0 GB at 0 s")
        expect(figure).to_be_hidden()
        stage.page.mouse.move(0, 0)
        expect(figure).to_be_visible()
        stage.page.locator(".nbb-cancel").focus()
        chart.focus()
        chart.press("End")
        expect(memory.locator(".nbb-then")).to_contain_text("at 2 m 14 s")
        chart.press("ArrowLeft")
        expect(memory.locator(".nbb-then")).to_contain_text("at 2 m 11 s")
        stage.set("card", models.running())
        expect(memory.locator(".nbb-then")).to_contain_text("at 2 m 11 s")
        stage.shot("page-chart-looked-at")


def test_memory_that_is_nearly_full_is_told_apart(browser: Browser) -> None:
    """With a sign, not by colour alone; a busy processor is no warning."""
    usage = [{**each, "fraction": 0.96} for each in models.running()["usage"]]
    with staged(browser) as stage:
        stage.card(models.running(usage=usage))

        full = [m.inner_text().split("\n")[0] for m in stage.page.locator(".nbb-full").all()]
        assert full == ["Memory", "GPU memory", "Disk"]
        expect(stage.page.locator(".nbb-full .nbb-figure").first).to_contain_text("▲")


def test_several_gpus_are_compact_pairs(browser: Browser) -> None:
    """Eight GPUs take little more room than the other figures."""
    with staged(browser) as stage:
        stage.card(models.running(usage=models.use(8)))

        assert stage.page.locator(".nbb-pair").count() == 8
        assert stage.page.locator(".nbb-use").bounding_box()["height"] < 320


def test_nodes_can_be_walked_through(browser: Browser) -> None:
    """Failed ones first; one stop in the tab order, arrow keys move, a line tells of each."""
    with staged(browser) as stage:
        stage.card(models.running(parts=models.nodes()))
        cells = stage.page.get_by_role("option")
        expect(cells).to_have_count(24)
        assert text(stage, ".nbb-parts-title") == "24 nodes"
        counts = stage.page.locator(".nbb-part-count > :last-child").all_inner_texts()
        assert counts == ["2 starting", "20 running", "2 failed"]
        expect(cells.first).to_have_accessible_name("Node 5: failed · exit code 1: NCCL timeout")
        assert stage.page.locator(".nbb-cell[tabindex='0']").count() == 1
        cells.first.focus()
        cells.first.press("ArrowRight")
        stage.page.keyboard.press("ArrowRight")
        line = stage.page.locator(".nbb-part-line")
        expect(line).to_have_text("Node 0: running · ip-10-0-0-0 · memory 9.4 GB of 16 GB")
        stage.page.keyboard.press("End")
        expect(line).to_contain_text("Node 23")
        stage.page.keyboard.press("Enter")
        stage.set("card", models.running(parts=models.nodes(bad=(23,))))

        focused = stage.page.locator(":focus")
        expect(focused).to_have_accessible_name("Node 23: failed · exit code 1: NCCL timeout")
        expect(focused).to_have_attribute("aria-selected", "true")
        assert stage.page.locator(".nbb-cell[tabindex='0']").count() == 1
        assert stage.errors == []


def test_a_thousand_children_fit(browser: Browser) -> None:
    """The grid keeps its height, and scrolls."""
    with staged(browser) as stage:
        stage.card(models.running(parts=models.nodes(1200)))
        stage.shot("page-parts-1000")

        assert stage.page.get_by_role("option").count() == 1000
        assert text(stage, ".nbb-parts-title") == "1,200 nodes, 1,000 shown"
        assert stage.page.locator(".nbb-cells").bounding_box()["height"] < 180


def test_a_card_folds_and_remembers_it(browser: Browser) -> None:
    """Folded it is one line with a thin one; redraws, and loading the page again, keep that."""
    with staged(browser) as stage:
        stage.card(models.running())
        toggle = stage.page.get_by_role("button", name="Details of train")
        expect(toggle).to_have_attribute("aria-expanded", "true")
        toggle.press("Enter")
        expect(toggle).to_have_attribute("aria-expanded", "false")
        stage.set("card", models.running())
        expect(stage.page.locator(".nbb-body")).to_be_hidden()
        expect(stage.page.get_by_role("meter", name="CPU")).to_have_attribute("aria-valuenow", "78")
        expect(stage.page.locator(".nbb-brief")).to_contain_text("CPU 3.1 of 4 cores")
        assert stage.page.locator(".nbb").bounding_box()["height"] < 50
        stage.open()
        stage.card(models.running())
        expect(stage.page.locator(".nbb-body")).to_be_hidden()
        stage.shot("page-folded")
        # Its end is another matter: folded, until somebody wants to see more.
        stage.set("card", models.ended())
        expect(toggle).to_have_attribute("aria-expanded", "false")
        expect(stage.page.locator(".nbb-brief")).to_contain_text("peak 3.9 cores")
        expect(stage.page.locator(".nbb-advice")).to_contain_text("--memory 4000 would do")
        toggle.click()
        stage.open()
        stage.card(models.ended())
        expect(stage.page.locator(".nbb-body")).to_be_visible()
        assert stage.errors == []


def test_why_a_job_waits_is_seen_first(browser: Browser) -> None:
    """Above everything else, and in the folded line."""
    with staged(browser) as stage:
        stage.card(models.waiting())
        message = stage.page.locator(".nbb-message")
        expect(message).to_contain_text("Position 3 in the queue")
        assert message.bounding_box()["y"] < stage.page.locator(".nbb-way").bounding_box()["y"]
        stage.page.get_by_role("button", name="Details of train").click()

        expect(stage.page.locator(".nbb-brief")).to_contain_text("Position 3 in the queue")


def test_links_lead_out_safely_or_nowhere(browser: Browser) -> None:
    """Only web addresses become links, and the page that they open can't reach back."""
    with staged(browser) as stage:
        stage.card(models.running())
        links = stage.page.get_by_role("link")
        assert [link.inner_text() for link in links.all()] == ["Console ↗", "Log ↗"]
        for link in links.all():
            assert "noopener" in str(link.get_attribute("rel"))
            assert str(link.get_attribute("href")).startswith("https://console.aws")
        stage.set("card", models.running(url="javascript:alert(1)", log_url="data:text/html,x"))

        expect(links).to_have_count(0)


def test_ids_and_images_can_be_copied(browser: Browser) -> None:
    """Long names are cut in the middle, and copied whole; that it was copied is said."""
    with staged(browser, permissions=["clipboard-read", "clipboard-write"]) as stage:
        stage.card(models.running())
        image = stage.page.locator(".nbb-facts > div", has_text="Image").locator(".nbb-value")
        assert image.inner_text().startswith("111122223333")
        assert image.inner_text().endswith("py311-cu124")
        assert len(image.inner_text()) < len(models.IMAGE) == len(str(image.get_attribute("title")))
        # The stage's address is no secure one: the way that works there, too, is taken.
        stage.page.evaluate("document.addEventListener('copy', () => "
                            "window.copied = String(document.activeElement.value))")  # fmt: skip
        # It is said for a moment only.
        stage.page.evaluate("""() => new MutationObserver(list => list.forEach(({ target }) => {
            if (target.role === 'status' && target.textContent === 'Copied') window.said = true;
        })).observe(document.body, { subtree: true, childList: true })""")
        stage.page.get_by_role("button", name="Copy image").click()
        stage.page.wait_for_function("window.said")
        assert stage.page.evaluate("window.copied") == models.IMAGE
        stage.page.get_by_role("button", name="copy the job's id").click()

        stage.page.wait_for_function("window.copied === '20260131-094500-1f0c2a9b'")


def test_clicks_reach_the_kernel(browser: Browser) -> None:
    """Cancel, Detach, Fold: one message each; what was asked for is not asked again."""
    with staged(browser) as stage:
        stage.card(models.running(), blocking=False)
        assert not stage.page.get_by_role("button", name="Detach train").is_visible()
        stage.set("blocking", True)
        stage.page.get_by_role("button", name="Detach train").click()
        stage.page.get_by_role("button", name="Cancel train").click()
        stage.set("asked", "cancel")
        waiting = stage.page.get_by_role("button", name="Cancelling… train")
        expect(waiting).to_be_disabled()
        stage.set("card", models.ended())
        expect(waiting).to_have_count(0)
        assert not stage.page.get_by_role("button", name="Fold train").is_visible()
        stage.set("foldable", True)
        stage.page.get_by_role("button", name="Fold train").click()

        assert [message["ask"] for message in stage.sent()] == ["detach", "cancel", "fold"]


@pytest.mark.parametrize(("answered", "interrupts"), [(True, 0), (False, 1)])
def test_a_page_that_stood_still_hears_before_it_interrupts(
    browser: Browser, answered: bool, interrupts: int
) -> None:
    """The answer to a click may have come while a page heard nothing: then the kernel goes on."""
    with staged(browser) as stage:
        stage.card(models.running())
        stage.page.evaluate(
            """answered => new Promise(done => {
                const model = window.models.one;
                window.interrupts = 0;
                model.widget_manager = { kernel: { interrupt: () => { window.interrupts += 1; } } };
                document.querySelector('.nbb-cancel').click();
                if (answered) setTimeout(() => model.set('asked', 'cancel'), 900);
                const end = performance.now() + 1000;
                while (performance.now() < end);
                setTimeout(done, 1000);
            })""",
            answered,
        )

        assert stage.page.evaluate("window.interrupts") == interrupts


def test_a_kernel_that_is_gone_is_told(browser: Browser) -> None:
    """Nothing can be asked of it; what to type is said."""
    with staged(browser) as stage:
        stage.card(models.running())
        stage.page.evaluate(
            "() => { models.one.comm_live = false; models.one.emit('comm_live_update'); }"
        )

        expect(stage.page.get_by_role("button", name="Cancel train")).to_be_disabled()
        expect(stage.page.locator(".nbb-hint")).to_contain_text("%batch attach 20260131-094500")


def test_everything_can_be_reached_with_the_keyboard(browser: Browser) -> None:
    """The focus goes the way that one reads: from above to below, line by line."""
    with staged(browser) as stage:
        card = models.running(parts=models.nodes(), earlier=models.attempts(3))
        stage.card(card)
        stops = []
        for _ in range(40):
            stage.page.keyboard.press("Tab")
            box = stage.page.evaluate("""() => {
                const el = document.activeElement;
                const { top, left } = el.getBoundingClientRect();
                return el.closest('.nbb') && !el.closest('.nbb-log') ? [top, left] : null }""")
            if box is None:
                break
            stops.append(box)
        # What stands on one line may differ by some pixels.
        lines = [(round(top / 16), left) for top, left in stops]

        assert len(stops) >= 14
        assert lines == sorted(lines)


def test_hostile_texts_stay_texts(browser: Browser) -> None:
    """Markup in any field makes nothing in the page."""
    evil = "<img src=x onerror='window.hacked=1'>"
    card = models.running(parts=models.nodes(), earlier=models.attempts(3), bars=models.loops())

    def spoil(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: spoil(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [spoil(v, key) for v in value]
        return evil if isinstance(value, str) and key not in ("phase", "url", "log_url") else value

    with staged(browser) as stage:
        stage.card(spoil(card))
        stage.page.get_by_role("option").first.hover()
        stage.page.locator(".nbb-toggle").click()

        assert stage.page.locator(".nbb img, .nbb script, .nbb [onerror]").count() == 0
        assert stage.page.evaluate("window.hacked") is None
        assert stage.errors == []
