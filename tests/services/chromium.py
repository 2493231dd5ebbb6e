"""Debian's Chromium with somebody's certificate, driven by Playwright: what a person has on their desk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, sync_playwright

CHROMIUM = "/usr/bin/chromium"

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)


@contextmanager
def running() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def window(
    browser: Browser,
    origin: str,
    certificate: Path | None,
    key: Path | None,
    *,
    language: str = "zh-CN",
    width: int = 1280,
    dark: bool = False,
    script: bool = True,
) -> Iterator[BrowserContext]:
    """A window of somebody who has this certificate (PEM) and its key."""
    shown = [{"origin": origin, "certPath": str(certificate), "keyPath": str(key)}] if certificate and key else []
    context = browser.new_context(
        client_certificates=shown,  # type: ignore[arg-type]  # a typed dictionary
        ignore_https_errors=True,
        locale=language,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
    )
    context.set_default_timeout(10_000)
    try:
        yield context
    finally:
        context.close()
