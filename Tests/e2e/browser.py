# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors
"""The dashboard in Debian's Chromium, as people use it: they open its link, filter, drill down, give out a token, and read it
on a phone, in the dark, by keyboard and on paper. Every page is looked at for what axe-core finds, what it weighs, what does
not fit, and what others have written into it.

With MENSHEN_E2E_PICTURES=DIR each page is kept there as a picture, light and dark, wide and narrow."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse

import axe_playwright_python
from playwright.sync_api import expect, sync_playwright

from harness import *
from harness import BINARY
from upstream import Upstream

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHROMIUM = shutil.which("chromium")
PICTURES = os.environ.get("MENSHEN_E2E_PICTURES")
with open(f"{os.path.dirname(axe_playwright_python.__file__)}/axe.min.js") as file:
    AXE = file.read()
expect.set_options(timeout=3 * PATIENCE * 1000)
UI = "/_menshen/ui/"
WIDE, HALF, PHONE = {"width": 1280, "height": 900}, {"width": 640, "height": 450}, {"width": 390, "height": 844}
# What a page may weigh, without style sheet and script.
HEAVIEST = 100_000
# Ends elements and attributes, and runs if it is taken for markup.
EVIL = "\"'></td></script></pre><img src=x onerror=alert(1)><script>alert(2)</script><svg onload=alert(3)>"

if not CHROMIUM:
    skipped("all of it", "there is no chromium; apt-get install chromium")
    done()

upstream = Upstream()
home = place()
daemon = Daemon(home, f"""\
[auth]
user = "admin"
password = "open sesame"
token = "{TOKEN}"
[logging]
log_request_body = true
log_response_body = true
[cache]
enable = true
max_age = "1h"
[limits]
timezone = "Europe/Berlin"
unpriced = "allow"
instance = ["900usd/month", "900000requests/day"]
[[providers]]
name = "openai"
base_url = "{upstream.url}/v1"
kind = "openai"
prices = "openai"
max_concurrent = 8
api_key = "{KEY}"
[[providers]]
name = "anthropic"
base_url = "{upstream.url}"
kind = "anthropic"
api_key = "{KEY}"
""", tcp=True)


def prepare():
    """A month of a team, and what strangers would write into it."""
    equal(daemon.stop(), 0, "a menshen makes the database")
    subprocess.run([sys.executable, f"{ROOT}/contrib/bench/records.py", daemon.database, "--rows", "10000", "--days", "31"],
                   check=True, stdout=subprocess.DEVNULL)
    daemon.start()
    bodies = [{"model": EVIL}, {"model": "\u202egnp.exe\u0007"}, {"model": "echo", "evil": EVIL}, {"model": "bad-key"},
              {"model": "gpt-6-luna"}, {"model": "gpt-6-luna"}, {"model": "saw", "stream": True}]
    fields = {**JSON, "User-Agent": "opencode/1", "x-session-id": EVIL}
    answers = [daemon.ask(body=json.dumps({**body, "messages": [{"role": "user", "content": EVIL}]}).encode(), fields=fields)
               for body in bodies]
    daemon.settled(answer.id for answer in answers)
    note = run("token", "create", "night", "--note", EVIL, "--budget", "5usd/day", "--socket", daemon.socket, cwd=home, env=daemon.env)
    equal(note.returncode, 0, "so is a token's note")
    return answers


class Person:
    """A browser with a profile of its own, and all that went wrong in it."""

    def __init__(self, chromium, origin, **options):
        self.context = chromium.new_context(base_url=origin, viewport=WIDE, **options)
        self.context.set_default_timeout(PATIENCE * 1000)
        self.context.add_init_script("addEventListener('securitypolicyviolation', event => "
                                     "console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI}`))")
        self.page = self.context.new_page()
        self.troubles = []
        self.page.on("console", lambda said: self.hear(said.type, said.text, said.location))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.troubles.append(f"a script ran: {dialog.message}"), dialog.dismiss()))

    def hear(self, kind, text, location):
        # A page with a status of an error is itself told of so.
        if kind in ("error", "warning") and not ("Failed to load resource" in text and location.get("url") == self.page.url):
            self.troubles.append(f"{kind}: {text} {location}")

    def go(self, path, status=200):
        self.answer = self.page.goto(path)
        return equal(self.answer.status, status, f"{path} answers {status}")

    def calm(self, where):
        troubles, self.troubles = self.troubles, []
        check(not troubles, f"{where}: nothing is executed, refused by the policy or an error", troubles)

    def violations(self, *rules, but=()):
        """What axe-core calls serious or critical; by all rules if none is said."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE)
        only = {"runOnly": {"type": "rule", "values": rules}} if rules else {
            "rules": {"target-size": {"enabled": True}, **{rule: {"enabled": False} for rule in but}}}
        found = self.page.evaluate("options => axe.run(document, {...options, preload: false, resultTypes: ['violations']})", only)["violations"]
        return [(each["id"], node["target"], node["failureSummary"][:200], len(each["nodes"])) for each in found
                if each["impact"] in ("serious", "critical") for node in each["nodes"][:2]]

    def fits(self):
        """Nothing has to be pushed sideways."""
        return self.page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0

    def inspect(self, name, is_like_another=False):
        """The page that is open, in all its forms; one that differs from another in its content alone has the other's colours."""
        page = self.page
        weight = len(page.content().encode())
        check(weight < HEAVIEST, f"{name}: {weight // 1000} KB", weight)
        found = self.violations(but=("color-contrast",) if is_like_another else ())
        self.picture(name, "1280-light")
        page.emulate_media(color_scheme="dark")
        found += [] if is_like_another else self.violations("color-contrast")
        self.picture(name, "1280-dark")
        wide = self.fits()
        page.set_viewport_size(PHONE)
        self.picture(name, "390-dark")
        page.emulate_media(color_scheme="light")
        found += self.violations("target-size", "scrollable-region-focusable")
        self.picture(name, "390-light")
        narrow = self.fits()
        page.set_viewport_size(HALF)
        equal((wide, narrow, self.fits()), (True,) * 3, f"{name}: it fits a desk, a phone and twice the size")
        page.set_viewport_size(WIDE)
        check(not found, f"{name}: axe-core finds nothing, in neither light", found)
        self.calm(name)

    def picture(self, name, form):
        if PICTURES:
            self.page.screenshot(path=f"{PICTURES}/{re.sub('[^a-z]+', '-', name)}-{form}.png", full_page=True)


def enter(chromium):
    """By the link of `menshen dashboard`."""
    command = subprocess.Popen([BINARY, "dashboard", "--no-open", "--socket", daemon.socket], cwd=home, env=daemon.env,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               preexec_fn=die_with_parent, **identity())
    children.append(command)
    link = command.stdout.readline().decode().strip()
    owner = Person(chromium, link.partition("/open/")[0])
    owner.go(UI, 401)
    owner.inspect("without a session")
    owner.go(link)
    owner.inspect("the link")
    owner.page.get_by_role("button", name="Open").click()
    expect(owner.page).to_have_url(re.compile(f"{UI}$"))
    equal(owner.page.get_by_role("heading", level=1).inner_text(), "Overview", "the link's button opens the dashboard")
    owner.go(link, 410)
    owner.inspect("a used link")
    return owner


def pages(owner, answers):
    """All there are."""
    evil, echo, bad = answers[0].id, answers[2].id, answers[3].id
    session = urllib.parse.quote(owner.page.request.get(f"{UI}sessions.json?period=30d").json()["sessions"][0]["session"], safe="")
    for name, path, status in (
            ("overview", "", 200), ("overview by tokens", "?measure=tokens&period=30d", 200), ("overview of nothing", "?model=none", 200),
            ("usage", "usage", 200), ("usage by project", "usage?by=project&period=30d&measure=requests", 200),
            ("usage of what is unpriced", "usage?cost=unpriced", 200), ("log", "log", 200), ("log of failures", "log?outcome=failed", 200),
            ("log of nothing", "log?model=none", 200), ("request", f"requests/{echo}", 200), ("request that was refused", f"requests/{bad}", 200),
            ("request of evil", f"requests/{evil}", 200), ("sessions", "sessions", 200), ("session", f"sessions/{session}", 200),
            ("session of evil", f"sessions/{urllib.parse.quote(EVIL, safe='')}", 200),
            ("tokens", "tokens", 200), ("token", "tokens/night", 200), ("new token", "new-token", 200), ("edit token", "tokens/night/edit", 200),
            ("providers", "providers", 200), ("system", "system", 200), ("no page", "nowhere", 404), ("no parameter", "log?modl=one", 400),
            ("no request", "requests/0", 404)):
        owner.go(UI + path, status)
        owner.inspect(name, is_like_another=" of " in name or " by " in name)


def reading(owner):
    """From a figure to its requests, and by the form."""
    page = owner.page
    owner.go(UI)
    name = page.locator("#r-model a").first.inner_text()
    page.locator("#r-model a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Usage")
    check(page.locator(".chips").get_by_text(name).is_visible(), "a model of the overview leads to its usage")
    owner.go(UI)
    page.locator("#spend .hit").last.click()
    expect(page).to_have_url(re.compile("log\\?.*since=.*until="))
    check(page.locator("table.log tbody tr").count() > 1, "a column of the chart leads to its requests")
    owner.go(f"{UI}log")
    page.get_by_label("Outcome").select_option("Failed")
    page.get_by_label("Model").fill("gpt-*")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("outcome=failed"))
    ends = page.locator("table.log td.c-name").all_inner_texts()
    check(ends and not any("Complete" in end for end in ends), "the form filters", ends)
    models = page.locator("table.log td.c-wide").all_inner_texts()
    check(models and all(model.startswith("gpt-") for model in models), "by all that it says", models)
    page.get_by_label("Remove the filter Model").click()
    expect(page.get_by_label("Remove the filter Model")).to_have_count(0)
    check("outcome=failed" in page.url, "each filter can be taken away alone", page.url)
    owner.go(f"{UI}log")
    page.get_by_role("link", name="Older").click()
    expect(page).to_have_url(re.compile("before="))
    page.get_by_role("link", name="Newer").click()
    expect(page).to_have_url(re.compile("after="))
    page.locator("table.log td.c-wide a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Request")
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name=re.compile("Copied|Selected"))).to_have_count(1)
    check(True, "a row leads to its request, whose id is copied")
    owner.calm("reading")


def giving(owner):
    """A token's whole life, in forms."""
    page = owner.page
    owner.go(f"{UI}tokens")
    page.get_by_role("link", name="New token").click()
    page.get_by_label("Name").fill("desk")
    page.get_by_label("Note").fill(EVIL)
    page.get_by_label("Limits").fill("9requests/dy")
    page.get_by_label("openai").check()
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing was changed")
    owner.inspect("a form that was refused")
    page.get_by_role("link", name="Mend it").click()
    equal((page.get_by_label("Name").input_value(), page.get_by_label("Note").input_value(), page.get_by_label("openai").is_checked()),
          ("desk", EVIL, True), "what was typed comes back")
    page.get_by_label("Limits").fill("9requests/day")
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Token desk")
    token = page.locator("#tok").inner_text()
    owner.inspect("a token that was made")
    fields = {**JSON, "Authorization": f"Bearer {token}"}
    equal(daemon.ask(fields=fields, unix=False).status, 200, "the token on the page opens the door")
    owner.go(f"{UI}tokens/desk")
    check(token not in page.content(), "and is on no other page")
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Models").fill("two, three")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("desk")
    equal(daemon.ask(fields=fields, unix=False).status, 403, "what the form says holds at once")
    page.get_by_label("Type the token").fill("desc")
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing was changed")
    page.get_by_role("link", name="Mend it").click()
    page.get_by_label("Type the token").fill("desk")
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Revoked").first).to_be_visible()
    equal(daemon.ask(fields=fields, unix=False).status, 401, "a token that is revoked opens nothing")
    owner.go(f"{UI}system")
    answers = page.locator("dt", has_text="Answers").locator("xpath=following-sibling::dd[1]")
    check(not answers.inner_text().startswith("0,"), "answers are stored", answers.inner_text())
    page.get_by_role("button", name="Clear the cache").click()
    expect(answers).to_have_text(re.compile("^0,"))
    check(True, "and thrown away by a form")
    owner.calm("giving")


def under_way(session):
    """A stream of some ten seconds."""
    caller = Caller(daemon.socket)
    body = {"model": "long", "stream": True, "messages": [{"role": "user", "content": session}]}
    caller.request("POST", "/v1/chat/completions", json.dumps(body).encode(),
                   {**JSON, "User-Agent": "opencode/1", "x-session-id": session})
    return caller


def following(owner):
    """What goes on appears by itself, and disturbs nobody who reads."""
    page = owner.page
    follows = page.get_by_text("Follows", exact=True)
    owner.go(f"{UI}live")
    expect(follows).to_be_visible()
    expect(page.get_by_text("Nothing is under way")).to_be_visible()
    first = under_way("s1")
    rows = page.get_by_role("row").filter(has_text="opencode")
    row = rows.filter(has_text="s1")
    expect(row).to_contain_text("Streaming")
    expect(page.locator("#open")).to_have_text("1 open")
    check(True, "a stream appears by itself, also in the head")
    out = row.locator("td").nth(6)
    begun = out.inner_text()
    link = row.get_by_role("link")
    link.focus()
    page.set_viewport_size({"width": 1280, "height": 200})
    page.evaluate("scrollTo(0, 150)")
    expect(out).not_to_have_text(begun)
    tokens = [int(re.sub("\\D", "", text)) for text in (begun, out.inner_text())]
    check(0 < tokens[0] < tokens[1], "its tokens rise", tokens)
    check(link.evaluate("element => element === document.activeElement"), "what has the focus keeps it")
    equal(page.evaluate("scrollY"), 150, "nothing is scrolled")
    page.set_viewport_size(WIDE)
    owner.inspect("under way")
    second = under_way("s2")
    expect(rows.filter(has_text="s2")).to_have_count(1)
    first.close()
    expect(row).to_have_count(0)
    check(True, "a stream whose caller has left goes")
    second.close()
    expect(page.get_by_text("Nothing is under way")).to_be_visible()
    daemon.kill()
    expect(page.get_by_text("Not connected")).to_be_visible()
    daemon.start()
    expect(follows).to_be_visible()
    check(True, "after a crash it connects again")
    daemon.stop()
    expect(page.get_by_text("menshen has stopped")).to_be_visible()
    owner.troubles = [text for text in owner.troubles if "ERR_" not in text and "503" not in text]
    daemon.start()
    page.get_by_role("link", name="Refresh").click()
    expect(follows).to_be_visible()
    check(True, "a menshen that has stopped is not started again but by hand")
    owner.calm("following")


FOCUS = """() => {
  const element = document.activeElement, style = getComputedStyle(element), box = element.getBoundingClientRect();
  return {name: element.getAttribute('name') ?? element.textContent.trim(), tag: element.tagName,
          ring: element.matches(':focus-visible') && style.outlineStyle == 'solid' ? parseFloat(style.outlineWidth) : 0,
          seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
          place: [...document.querySelectorAll('*')].indexOf(element)};
}"""


def keyboard(owner):
    page = owner.page
    owner.go(f"{UI}log")
    stops = []
    while len(stops) < 60 and (not stops or stops[-1]["tag"] != "BUTTON"):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(FOCUS))
    names = [stop["name"] for stop in stops]
    equal(names[0], "Skip to content", "the first key offers to skip to the content")
    check({"period", "caller", "model", "outcome", "q"} <= set(names) and names[-1] == "Show", "the keyboard reaches each filter", names)
    check(all(stop["ring"] >= 2 and stop["seen"] for stop in stops), "and shows where it is", [each for each in stops if each["ring"] < 2 or not each["seen"]])
    places = [stop["place"] for stop in stops]
    equal(places, sorted(places), "in the order of reading")
    page.get_by_label("Text").focus()
    page.keyboard.type("nothing is so")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No request matches")).to_be_visible()
    owner.go(f"{UI}log")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    check(page.evaluate("document.querySelector('main').contains(document.activeElement)"), "who skips is in the content", page.evaluate(FOCUS))
    owner.calm("keyboard")


def paper(owner):
    page = owner.page
    owner.go(UI)
    page.emulate_media(media="print", color_scheme="dark")
    shown = {name: page.locator(name).first.is_visible() for name in (".pages", ".seg", "details.data table", "h1")}
    equal(shown, {".pages": False, ".seg": False, "details.data table": True, "h1": True}, "paper has the tables, and no controls")
    equal(page.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)", "and is white")
    check(page.pdf(prefer_css_page_size=True).startswith(b"%PDF"), "it prints")
    page.emulate_media(media="screen", color_scheme="light")
    owner.calm("paper")


def sign_in(person):
    """Asks for the password, which the browser then sends."""
    person.go(UI, 401)
    person.page.get_by_role("link", name="Sign in").click()
    expect(person.page.get_by_role("heading", level=1)).to_have_text("Overview")
    check(True, "the password opens the dashboard")


def others(chromium):
    """By password over TCP, and without a script."""
    stranger = Person(chromium, f"http://127.0.0.1:{daemon.port}")
    stranger.go(f"{UI}tokens", 401)
    stranger.inspect("a door with a password")
    guest = Person(chromium, f"http://127.0.0.1:{daemon.port}", http_credentials={"username": "admin", "password": "open sesame"})
    sign_in(guest)
    guest.go(f"{UI}tokens")
    equal(guest.page.get_by_role("button").count() + guest.page.get_by_role("link", name="New token").count(), 0, "with the password one only looks")
    guest.go(f"{UI}new-token", 403)
    guest.inspect("a form for nobody")
    plain = Person(chromium, f"http://127.0.0.1:{daemon.port}", http_credentials={"username": "admin", "password": "open sesame"},
                   java_script_enabled=False)
    sign_in(plain)
    plain.go(f"{UI}log")
    plain.page.get_by_label("Outcome").select_option("Failed")
    plain.page.get_by_role("button", name="Show").click()
    expect(plain.page).to_have_url(re.compile("outcome=failed"))
    check(True, "without a script the form works as well")
    guest.go(f"{UI}live")
    expect(guest.page.get_by_text("Follows", exact=True)).to_be_visible()
    plain.go(f"{UI}live")
    plain.page.get_by_role("link", name="Refresh").click()
    expect(plain.page.get_by_text("Nothing is under way")).to_be_visible()
    expect(plain.page.get_by_text("Follows", exact=True)).to_be_hidden()
    check(True, "what is under way follows by password too, and without a script by a link")
    for person in (guest, plain):
        person.calm("the door over TCP")


answers = prepare()
with sync_playwright() as driver:
    # Chromium's own sandbox wants namespaces, which containers and root do without.
    chromium = driver.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=False)
    note(f"Chromium {chromium.version}")
    owner = enter(chromium)
    for part in (lambda: pages(owner, answers), lambda: reading(owner), lambda: giving(owner), lambda: following(owner), lambda: keyboard(owner), lambda: paper(owner),
                 lambda: others(chromium)):
        part()
    chromium.close()
done()
