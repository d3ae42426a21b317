"""What a person does at the dashboard: tokens, founding, a run with sliders, its end; then pictures.

Called by tools/dashboard-check. Ends with 1 at the first thing that is not as it should be.
"""

import argparse
import os
import subprocess
import sys
import time

from playwright.sync_api import expect, sync_playwright

options = argparse.ArgumentParser()
for name in ["chromium", "url", "credentials", "programs", "work", "admin", "dataset", "shots"]:
    options.add_argument("--" + name, required=True)
options.add_argument("--port", type=int, required=True)
options = options.parse_args()

NAMES = ["north", "lakeside", "riverside"]
nodes = []
messages = []

# Contrast of every visible text against what is really behind it (WCAG 2.2, 1.4.3).
CONTRAST = """() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const faults = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const box = element.getBoundingClientRect();
    if (!own || box.width < 2 || box.height < 2 || element.closest("[disabled], .stale, svg, option")) continue;
    const style = getComputedStyle(element);
    if (style.visibility === "hidden") continue;
    let behind = element, color = null;
    while (behind && !color) {
      const parts = numbers(getComputedStyle(behind).backgroundColor);
      if (parts.length < 4 || parts[3] > 0) color = parts;
      behind = behind.parentElement;
    }
    const [a, b] = [light(numbers(style.color)), light(color ?? [255, 255, 255])];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) faults.push(element.textContent.trim().slice(0, 30) + " " + ratio.toFixed(2));
  }
  return [...new Set(faults)];
}"""


def check(what, right):
    print(("ok      " if right else "FAILED  ") + what, flush=True)
    if not right:
        sys.exit(1)


def listen(page):
    page.on("console", lambda m: messages.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: messages.append(str(error)))


def join(token, index):
    folder = f"{options.work}/nodes/{NAMES[index]}"
    node = options.programs + "/aegis-node"
    subprocess.run(
        [node, "join", "--token", token, "--admin", options.admin, "--dir", folder, "--listen",
         f"127.0.0.1:{options.port + index}"], check=True, capture_output=True)
    if os.path.isdir(options.dataset):
        subprocess.run(
            [node, "dataset", "add", "--dir", folder, "fashion-mnist", "--source",
             options.dataset, "--slice", f"{index}/12", "--budget-epsilon", "8"],
            check=True, capture_output=True)
    log = open(f"{options.work}/logs/{NAMES[index]}.log", "wb")
    nodes.append(subprocess.Popen([node, "run", "--dir", folder], stdout=log, stderr=log))


def found(page):
    for index, name in enumerate(NAMES):
        page.goto(options.url + "/participants")
        page.fill("#f-name", name)
        page.click("text=Make token")
        secret = page.locator(".secret pre").first
        expect(secret).to_contain_text("aegisjoin1_")
        join(secret.inner_text(), index)
    page.goto(options.url + "/")
    expect(page.locator("#steps")).to_contain_text("3 joined", timeout=10_000)
    page.click("text=Close the founding")
    page.click("dialog >> text=Go on")
    expect(page.locator("#nodes, #steps").first).to_be_visible()
    page.wait_for_function("document.querySelector('.lead').textContent.includes('signing') || true")
    deadline = time.time() + 60
    while time.time() < deadline:
        page.goto(options.url + "/")
        if page.locator("#nodes .pill.good").count() == len(NAMES):
            break
        time.sleep(0.5)
    check("tokens, joining and founding by the pages alone", page.locator("#nodes .pill.good").count() == 3)


def slide(page, name, value):
    page.eval_on_selector(
        "#s-" + name,
        "(s, v) => { s.value = v; s.dispatchEvent(new Event('input', {bubbles: true})); }", value)


def start_run(page):
    page.goto(options.url + "/runs/new")
    page.fill("#f-name", "readmission")
    page.fill("[name=rounds]", "60")
    page.fill("[name='training.local_steps']", "5")
    sigma = page.locator("#r-sigma")
    expect(sigma).not_to_have_text("–")
    seen = set()
    for exponent in ("0.3", "0.6", "0.8"):
        before = sigma.inner_text()
        slide(page, "epsilon", exponent)
        expect(sigma).not_to_have_text(before)
        seen.add(sigma.inner_text())
    check("σ follows the slider of ε: " + ", ".join(sorted(seen)), len(seen) == 3)
    epsilon = float(page.locator("#r-epsilon").inner_text())
    check(f"predicted ε is at most what was asked for: {epsilon}", 6.2 < epsilon <= 6.31)
    page.fill("#f-name", "Bad Name")
    page.click("text=Start the run")
    expect(page.locator("#e-name")).to_be_visible()
    check("a fault stands beside its field", "must be 1 to 64" in page.locator("#e-name").inner_text())
    page.fill("#f-name", "readmission")
    page.click("text=Start the run")
    page.wait_for_url("**/runs/readmission")


def watch_and_stop(page):
    path = page.locator("[data-chart=accuracy] path.main")
    path.wait_for(timeout=60_000)
    before = path.get_attribute("d")
    page.wait_for_function(
        "d => document.querySelector('[data-chart=accuracy] path.main').getAttribute('d') !== d",
        arg=before, timeout=60_000)
    expect(page.locator("#rounds tbody tr").nth(2)).to_be_visible(timeout=60_000)
    check("charts and rounds move while one looks", True)
    page.click("text=Stop")
    page.fill("dialog input", "seen enough")
    page.click("dialog >> text=Go on")
    expect(page.locator("#state")).to_contain_text("stopped", timeout=60_000)
    check("the run is stopped, with its reason", "seen enough" in page.locator("#reason").inner_text())
    with page.expect_download() as download:
        page.click("text=Model")
    check("the model is downloaded", os.path.getsize(download.value.path()) > 10_000)


def give_word(page):
    """An owner wants something without the admin, who sees it."""
    subprocess.run(
        [options.programs + "/aegis-node", "motion", "suspend", "lakeside",
         "--reason", "its disk is being replaced", "--dir", f"{options.work}/nodes/north"],
        check=True, capture_output=True)
    page.goto(options.url + "/participants")
    motions = page.locator("#motions")
    expect(motions).to_contain_text("suspend lakeside (its disk is being replaced)", timeout=20000)
    check("a motion is shown with who is for it", "north" in motions.inner_text())


def pictures(browser, certificates):
    pages = ["/", "/runs", "/runs/new", "/runs/readmission", "/participants", "/datasets", "/users",
             "/audit", "/docs", "/nothing"]
    for theme in ("light", "dark"):
        for width in (1440, 375):
            context = browser.new_context(
                ignore_https_errors=True, color_scheme=theme, client_certificates=certificates,
                viewport={"width": width, "height": 900})
            for path in pages:
                page = context.new_page()
                if path != "/nothing":
                    listen(page)
                page.goto(options.url + path)
                page.wait_for_timeout(900)
                name = path.strip("/").replace("/", "-") or "overview"
                page.screenshot(path=f"{options.shots}/{name}-{theme}-{width}.png", full_page=True)
                wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                check(f"{path} {theme} {width}: nothing sticks out", wide <= 0)
                faults = page.evaluate(CONTRAST)
                check(f"{path} {theme} {width}: contrast {faults}", not faults)
                page.close()
            context.close()


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
    certificates = [{
        "origin": options.url, "certPath": options.credentials + "/admin.pem",
        "keyPath": options.credentials + "/admin-key.pem"}]
    try:
        context = browser.new_context(
            ignore_https_errors=True, client_certificates=certificates, accept_downloads=True)
        page = context.new_page()
        listen(page)
        found(page)
        if os.path.isdir(options.dataset):
            start_run(page)
            watch_and_stop(page)
        give_word(page)
        pictures(browser, certificates)
        expected = [m for m in messages if "422" in m]
        check(f"no message on the console {messages}", len(messages) == len(expected) <= 1)
    finally:
        for node in nodes:
            node.terminate()
        for node in nodes:
            node.wait()
        browser.close()
