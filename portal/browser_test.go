package portal

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/eyrie-sec/eyrie/falco"
)

// browser starts a Chromium with a profile of its own; without one the test is skipped.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		const hint = "no Chromium: install chromium to run the tests of the portal in a browser"
		if os.Getenv("EYRIE_REQUIRE_ALL") != "" {
			t.Fatal(hint)
		}
		t.Skip(hint)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.ProxyServer("direct://"),
		chromedp.Flag("disable-quic", true), chromedp.Flag("no-first-run", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-extensions", true),
	)
	ctx, cancel := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(opts...))
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // starts the browser, which lives as long as this call's context
		t.Fatal(err)
	}
	return ctx
}

type step = chromedp.Action[chromedp.Void]

// css says that a selector is one of style sheets.
type css = chromedp.CSS

func do(t *testing.T, ctx context.Context, what string, steps ...step) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(limited, steps...); err != nil {
		shown, _ := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		name := filepath.Join(os.TempDir(), "eyrie-portal-failure.png")
		_ = os.WriteFile(name, shown, 0o600)
		t.Fatalf("%s: %v (screenshot: %s)", what, err, name)
	}
}

// theme makes the browser prefer light or dark.
func theme(name string) step {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
		return err
	})
}

func viewport(width int64) step {
	if width < 500 {
		return chromedp.EmulateViewport(width, 844, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	return chromedp.EmulateViewport(width, 800)
}

// realWorld is a filled portal on a listener, by the wall clock, as a browser has no other.
func realWorld(t *testing.T) (*world, *httptest.Server) {
	t.Helper()
	w := newWorld(t, &clock{t: time.Now().UTC().Truncate(time.Second)})
	w.fill(t)
	w.mustUser(t, "ana")
	srv := httptest.NewServer(w.portal)
	t.Cleanup(srv.Close)
	t.Cleanup(w.portal.Close)
	return w, srv
}

func signInBy(srv *httptest.Server) step {
	return chromedp.Steps(
		chromedp.Navigate(srv.URL+"/signin"),
		chromedp.SendKeys(css("input[name=name]"), "ana"),
		chromedp.SendKeys(css("input[name=password]"), testPassword+"\r"),
		chromedp.WaitVisible(css(".headline h1")),
	)
}

// textOf waits until the first element that sel selects is there, and returns its text.
func textOf(t *testing.T, ctx context.Context, sel string) string {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	got, err := chromedp.Run(limited, chromedp.TextContent(css(sel)))
	if err != nil {
		t.Fatalf("text of %s: %v", sel, err)
	}
	return strings.Join(strings.Fields(got), " ")
}

func evaluate[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	got, err := chromedp.Run(limited, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return got
}

// await polls an expression until it is true. While a page is being left there is none to ask.
func await(t *testing.T, ctx context.Context, what, expression string) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var err error
	for {
		var yes bool
		if yes, err = chromedp.Run(limited, chromedp.Evaluate[bool]("Boolean("+expression+")")); err == nil && yes {
			return
		}
		select {
		case <-limited.Done():
			t.Fatalf("%s: not so after 20 s: %s (%v)", what, expression, err)
		case <-tick.C:
		}
	}
}

func keys(s string) step { return chromedp.KeyEvent(s) }

// TestBrowser is a morning of an analyst: sign in, filter, decide, undo, be told of news, by mouse and by key, on a desk
// and on a telephone.
func TestBrowser(t *testing.T) {
	w, srv := realWorld(t)
	ctx := browser(t)
	broken := complaints(t, ctx)
	for _, width := range []int64{1280, 390} {
		t.Run(strconv.FormatInt(width, 10), func(t *testing.T) {
			do(t, ctx, "viewport", viewport(width))
			if width == 1280 {
				do(t, ctx, "sign in", signInBy(srv))
			}
			t.Run("fits", func(t *testing.T) { browserFits(t, ctx, srv) })
			t.Run("filter", func(t *testing.T) { browserFilter(t, ctx, srv) })
			t.Run("triage", func(t *testing.T) { browserTriage(t, ctx, srv, w) })
			t.Run("live", func(t *testing.T) { browserLive(t, ctx, srv, w) })
			if width == 1280 {
				t.Run("keys", func(t *testing.T) { browserKeys(t, ctx, srv, w) })
				t.Run("settings", func(t *testing.T) { browserSettings(t, ctx, srv) })
			}
		})
	}
	for _, c := range broken() {
		t.Errorf("the browser complains: %s", c)
	}
}

// complaints collects what the browser reports of every page from now on: errors of scripts, what the content policy
// refused.
func complaints(t *testing.T, ctx context.Context) func() []string {
	t.Helper()
	var mu sync.Mutex
	var all []string
	add := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, s)
	}
	err := chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *cdplog.EventEntryAdded:
			add(ev.Entry.Text + " " + ev.Entry.URL)
		case *runtime.EventExceptionThrown:
			add(ev.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	do(t, ctx, "listen", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cdplog.Enable, cdp.Empty{})
		return err
	}))
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// browserFits: no page is wider than the window, and every control is large enough for a thumb or a pointer.
func browserFits(t *testing.T, ctx context.Context, srv *httptest.Server) {
	for _, path := range []string{"/", "/findings", "/findings/5", "/health", "/quarantine/12", "/password"} {
		do(t, ctx, path, chromedp.Navigate(srv.URL+path))
		if over := evaluate[int](t, ctx, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
			t.Errorf("%s is %d pixels wider than the window", path, over)
		}
		if small := evaluate[[]string](t, ctx, `[...document.querySelectorAll("button, .btn, summary, select, textarea, input:not([type=hidden]):not([type=checkbox]):not([type=radio])")]
			.filter(e => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0 && (r.height < 20 || r.width < 20) }).map(e => e.outerHTML.slice(0, 80))`); len(small) > 0 {
			t.Errorf("%s: too small to hit: %q", path, small)
		}
		if hidden := evaluate[[]string](t, ctx, `[...document.querySelectorAll("main a, main button")].filter(e => { const r = e.getBoundingClientRect(); return r.width > 0 && (r.left < -1 || r.left > innerWidth) && !e.closest(".bar, .scroll, svg, .vh") })
			.map(e => e.outerHTML.slice(0, 80))`); len(hidden) > 0 {
			t.Errorf("%s: outside of the window: %q", path, hidden)
		}
	}
}

func browserFilter(t *testing.T, ctx context.Context, srv *httptest.Server) {
	do(t, ctx, "open the menu", chromedp.Navigate(srv.URL+"/findings"), chromedp.Click(css("#m-rule > summary")), chromedp.WaitVisible(css("#m-rule .opts label")),
		chromedp.SendKeys(css("#m-rule [data-narrow]"), "below"))
	await(t, ctx, "the menu narrows", `[...document.querySelectorAll("#m-rule .opts label")].every(l => /below/i.test(l.textContent))`)
	do(t, ctx, "pick", chromedp.Click(css(`#m-rule input[value="Write below etc"]`)), chromedp.Click(css("#m-rule .btn:not(.bare)")), chromedp.WaitVisible(css("#m-rule.on")))
	if got := evaluate[string](t, ctx, `location.pathname + location.search`); got != "/findings?rule=Write+below+etc" {
		t.Errorf("the address is %s", got)
	}
	if got := evaluate[bool](t, ctx, `[...document.querySelectorAll(".title")].every(a => a.textContent === "Write below etc") && document.querySelectorAll(".title").length > 1`); !got {
		t.Error("other findings are listed")
	}
	do(t, ctx, "back", chromedp.NavigateBack(), chromedp.WaitNotPresent(css("#m-rule.on")))
}

func browserTriage(t *testing.T, ctx context.Context, srv *httptest.Server, w *world) {
	do(t, ctx, "select two", chromedp.Navigate(srv.URL+"/findings?severity=LOW"), chromedp.Click(css(".rows tbody tr:nth-child(1) .c-check label")),
		chromedp.Click(css(".rows tbody tr:nth-child(2) .c-check label")), chromedp.WaitVisible(css(".selbar")))
	if got := textOf(t, ctx, "[data-selected]"); got != "2 selected" {
		t.Errorf("got %q", got)
	}
	seq := seqNumber(t, evaluate[string](t, ctx, `document.querySelector(".rows tbody tr").dataset.seq`))
	before := w.hub.workflow(seq)
	do(t, ctx, "resolve", chromedp.SendKeys(css(`.selbar [name=note]`), "seen in a browser"), chromedp.Click(css(`.selbar [value=RESOLVED]`)), chromedp.WaitVisible(css(".toast")))
	if got := textOf(t, ctx, ".toast span"); got != "2 findings are Resolved now." {
		t.Errorf("got %q", got)
	}
	if got := textOf(t, ctx, ".rows tbody tr:nth-child(2) .wf"); got != "Resolved" || w.hub.workflow(seq) != "RESOLVED" {
		t.Errorf("the row says %q, the hub %s", got, w.hub.workflow(seq))
	}
	do(t, ctx, "undo", chromedp.Click(css(".toast button")))
	await(t, ctx, "undone", `document.querySelector(".toast span")?.textContent.startsWith("Undone: 2")`)
	if got := w.hub.workflow(seq); got != before {
		t.Errorf("after undo: %s, want %s", got, before)
	}
}

func browserLive(t *testing.T, ctx context.Context, srv *httptest.Server, w *world) {
	do(t, ctx, "list", chromedp.Navigate(srv.URL+"/findings?severity=CRITICAL"))
	rows := evaluate[string](t, ctx, `[...document.querySelectorAll(".rows tbody tr")].map(r => r.dataset.seq + r.getBoundingClientRect().top).join()`)
	name := fmt.Sprintf("/bin/live-%d", w.clock.now().UnixNano())
	a := &falco.Alert{Rule: "Live " + name, Priority: 2, Hostname: "h", Source: "syscall", Fields: []falco.Field{{Name: "proc.exepath", Value: falco.Value{Kind: falco.String, Text: name}}}}
	w.hub.add(a, time.Now().UTC(), falco.AppendJSON(nil, a), origins[0], nil)
	if got := textOf(t, ctx, ".news a"); got != "1 new or seen again, show" {
		t.Errorf("got %q", got)
	}
	if got := evaluate[string](t, ctx, `[...document.querySelectorAll(".rows tbody tr")].map(r => r.dataset.seq + r.getBoundingClientRect().top).join()`); got != rows {
		t.Error("rows moved while they were read")
	}
	do(t, ctx, "show", chromedp.Click(css(".news a")))
	await(t, ctx, "the new row is first", `document.querySelector(".title")?.textContent === `+strconv.Quote(a.Rule))
	w.clock.add(time.Second)
}

func browserKeys(t *testing.T, ctx context.Context, srv *httptest.Server, w *world) {
	do(t, ctx, "move", chromedp.Navigate(srv.URL+"/findings?severity=HIGH"), chromedp.WaitReady(css(".rows tbody tr")), keys("jjk"))
	if got := evaluate[int](t, ctx, `[...document.querySelectorAll(".rows tbody tr")].findIndex(r => r.classList.contains("at"))`); got != 0 {
		t.Errorf("the keys are on row %d, want the first", got)
	}
	seqs := evaluate[[]string](t, ctx, `[...document.querySelectorAll(".rows tbody tr")].map(r => r.dataset.seq)`)
	do(t, ctx, "select by key", keys("xjx"))
	if got := textOf(t, ctx, "[data-selected]"); got != "2 selected" {
		t.Errorf("got %q", got)
	}
	do(t, ctx, "suppress by key", keys("s"), chromedp.WaitVisible(css(".toast")))
	if a, b := w.hub.workflow(seqNumber(t, seqs[0])), w.hub.workflow(seqNumber(t, seqs[1])); a != "SUPPRESSED" || b != "SUPPRESSED" {
		t.Errorf("got %s and %s", a, b)
	}
	do(t, ctx, "undo by key", keys("u"))
	await(t, ctx, "undone", `document.querySelector(".toast span")?.textContent.startsWith("Undone: 2")`)
	do(t, ctx, "resolve one by key", keys("jn"))
	await(t, ctx, "notified", `document.querySelector(".toast span")?.textContent === "1 finding is Notified now."`)
	if got := w.hub.workflow(seqNumber(t, seqs[2])); got != "NOTIFIED" {
		t.Errorf("got %s", got)
	}
	do(t, ctx, "open", keys("\r"), chromedp.WaitVisible(css(".story")))
	if got := evaluate[string](t, ctx, `location.pathname`); got != "/findings/"+seqs[2] {
		t.Errorf("opened %s, want %s", got, seqs[2])
	}
	do(t, ctx, "next", keys("]"))
	await(t, ctx, "the next finding", `location.pathname === "/findings/`+seqs[3]+`" && document.readyState === "complete"`)
	do(t, ctx, "previous", keys("["))
	await(t, ctx, "the one before", `location.pathname === "/findings/`+seqs[2]+`" && document.readyState === "complete"`)
	do(t, ctx, "decide here", keys("r"))
	await(t, ctx, "resolved", `document.querySelector("#wf-now").textContent.trim() === "Resolved"`)
	do(t, ctx, "help", keys("?"), chromedp.WaitVisible(css("#keys")), keys(kb.Escape), chromedp.WaitNotVisible(css("#keys")))
	do(t, ctx, "back", keys(kb.Escape))
	await(t, ctx, "the list", `location.pathname + location.search === "/findings?severity=HIGH" && document.readyState === "complete"`)
	do(t, ctx, "search", keys("/"))
	await(t, ctx, "in the search", `document.activeElement.id === "q"`)
	// The protocol types the character also where the page refused the key; a keyboard does not.
	do(t, ctx, "search for it", chromedp.Func(func(ctx context.Context, tg *chromedp.Target) error {
		_, err := chromedp.Evaluate[string](`document.activeElement.value = ""`)(ctx, tg)
		return err
	}), keys("shadow\r"))
	await(t, ctx, "found", `location.search === "?q=shadow" && document.querySelectorAll(".title").length > 0`)
}

func browserSettings(t *testing.T, ctx context.Context, srv *httptest.Server) {
	do(t, ctx, "dark", chromedp.Navigate(srv.URL+"/"), theme("light"), chromedp.Click(css(".user > summary")), chromedp.Click(css(`button[name=theme][value=dark]`)))
	await(t, ctx, "it is dark", `getComputedStyle(document.documentElement).backgroundColor === "rgb(15, 17, 20)"`)
	do(t, ctx, "UTC", chromedp.Click(css(`button[name=zone][value=utc]`)))
	await(t, ctx, "times are UTC", `document.documentElement.dataset.zone === "utc"`)
	do(t, ctx, "again", chromedp.Reload())
	await(t, ctx, "it is remembered", `document.documentElement.dataset.theme === "dark" && document.documentElement.dataset.zone === "utc" && /UTC/.test(document.querySelector("time").title)`)
	do(t, ctx, "automatic", chromedp.Click(css(".user > summary")), chromedp.Click(css(`button[name=theme][value=""]`)))
	await(t, ctx, "it is light", `getComputedStyle(document.documentElement).backgroundColor === "rgb(250, 250, 251)"`)
}

// TestScreenshots writes pictures of every page in both themes and widths to the directory EYRIE_SCREENSHOTS.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("EYRIE_SCREENSHOTS")
	if dir == "" {
		t.Skip("set EYRIE_SCREENSHOTS to a directory to have the pages photographed")
	}
	_, srv := realWorld(t)
	ctx := browser(t)
	shoot := func(name, path string, width int64, scheme string, extra ...step) {
		take := chromedp.FullScreenshot(100)
		if name == "selected" || name == "decided" || width < 500 && (name == "findings" || name == "menu") {
			take = chromedp.CaptureScreenshot()
		}
		do(t, ctx, name, viewport(width), theme(scheme), chromedp.Navigate(srv.URL+path), chromedp.Steps(extra...))
		png, err := chromedp.Run(ctx, take)
		if err != nil {
			t.Fatal(err)
		}
		name += "-" + scheme + "-" + strconv.FormatInt(width, 10) + ".png"
		if err := os.WriteFile(filepath.Join(dir, name), png, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shoot("link", "/signin?token=x", 390, "dark")
	shoot("signin", "/signin", 1280, "light")
	do(t, ctx, "sign in", signInBy(srv))
	for _, width := range []int64{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			shoot("overview", "/", width, scheme)
			shoot("findings", "/findings?sort=severity", width, scheme)
			shoot("finding", "/findings/11?view=sort%3Dseverity&i=2", width, scheme)
			shoot("health", "/health", width, scheme)
		}
	}
	check := func(n int) step {
		return chromedp.Click(css(".rows tbody tr:nth-child(" + strconv.Itoa(n) + ") .c-check label"))
	}
	shoot("menu", "/findings?severity=CRITICAL&severity=HIGH&f=ProcessName:PREFIX:ev", 1280, "light", chromedp.Click(css("#m-rule summary")), chromedp.WaitVisible(css("#m-rule .opts label")))
	shoot("selected", "/findings", 1280, "light", check(2), check(4))
	shoot("selected", "/findings", 390, "dark", check(2))
	shoot("decided", "/findings?severity=HIGH", 1280, "light", check(1), check(2), chromedp.Click(css(`.selbar [value=RESOLVED]`)), chromedp.WaitVisible(css(".toast")))
	shoot("menu", "/findings", 390, "light", chromedp.Click(css("#m-severity summary")))
	shoot("print", "/findings/11", 1280, "light", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
		return err
	}))
	shoot("quarantined", "/quarantine/12", 1280, "light")
	shoot("settings", "/", 1280, "dark", chromedp.Click(css(".user summary")))
	shoot("password", "/password", 1280, "light")
}
