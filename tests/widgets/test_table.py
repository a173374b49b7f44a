"""Many jobs as a plain table."""

from __future__ import annotations

import json

from nbbatch.widgets.monitor.table import table_bundle, table_html, table_text
from tests.widgets.jobs import ended, running, waiting


def test_text_has_a_line_for_each_job() -> None:
    """The id first, for whoever copies it; what more there is, is said."""
    head, first, second, more = table_text([running(), ended(name="other")], 7).splitlines()

    assert head.split() == ["JOB", "NAME", "STATE", "SUBMITTED", "TIME", "USE"]
    assert first.startswith("20260131-094500-1f0c2a9b  train  Running")
    assert "other" in second
    assert "Succeeded" in second
    assert "7 older" in more


def test_text_without_jobs_helps() -> None:
    """Nothing to show is no empty table."""
    assert "%%batch" in table_text([])
    assert "%%batch" in table_html([])


def test_nothing_of_a_job_is_html() -> None:
    """Names and messages are text."""
    bad = waiting(name="<b>bold</b>", message="<script>alert(1)</script>")
    html = table_html([bad])

    assert "<script" not in html
    assert "<b>bold" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_a_bundle_fits_into_a_notebook() -> None:
    """A thousand jobs weigh no more than 20 kB; those left out are counted."""
    jobs = [ended(id=f"id-{n}", message="é" * 150) for n in range(1000)]
    bundle = table_bundle(jobs, older=5)
    weight = len(json.dumps(bundle, indent=1, ensure_ascii=False).encode())

    assert 10_000 < weight <= 20_000
    kept = bundle["text/html"].count("<tr>") - 1
    assert f"and {1005 - kept} older" in bundle["text/plain"]
