package portal

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
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
		if name == "selected" || width < 500 && name == "findings" {
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
	shoot("quarantined", "/quarantine/12", 1280, "light")
	shoot("settings", "/", 1280, "dark", chromedp.Click(css(".user summary")))
	shoot("password", "/password", 1280, "light")
}
