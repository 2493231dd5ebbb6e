"""The request desk on pages: list, show, decide; by the right people, on the revision that they saw."""

from tests.console.house import Console


def test_an_officer_finds_a_request_and_approves_it(console: Console) -> None:
    row = console.file()
    officer = console.browser("zhao-ra")
    listed = officer.get(f"/console/request?q={row.id}")
    assert row.id in listed.text
    page = f"/console/request/{row.id}"
    shown = officer.get(page).text
    assert "What is asked may be issued" in shown
    assert row.digest in shown
    done = officer.act(page, f"{page}/approval", comment="")
    assert (done.status_code, done.headers["location"]) == (303, f"{page}?done=yes")
    assert console.state(row) == "issued"
    assert "/console/certificate/" in officer.get(page).text
