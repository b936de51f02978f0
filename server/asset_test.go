package server

import (
	"compress/gzip"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gofiber/fiber/v2"
)

func TestAssets(t *testing.T) {
	page := "<!doctype html><title>app</title>" + strings.Repeat("<p>line</p>", 100)
	a, err := newAssets(fstest.MapFS{
		"index.html":          {Data: []byte(page)},
		"assets/app-12.js":    {Data: []byte("let x")},
		"assets/app-12.js.br": {Data: []byte("let x, compressed")},
		".keep":               {},
	})
	if err != nil {
		t.Fatal(err)
	}
	app := fiber.New(fiber.Config{DisableStartupMessage: true, ErrorHandler: func(c *fiber.Ctx, err error) error {
		return c.Status(404).SendString(err.Error())
	}})
	app.Use(a.handle)

	for _, test := range []struct {
		name, method, path string
		status             int
		cache, contentType string
	}{
		{"the page", "GET", "/", 200, "no-cache", "text/html"},
		{"a place in the app is the page", "GET", "/processes", 200, "no-cache", "text/html"},
		{"a named asset lasts for ever", "GET", "/assets/app-12.js", 200, "immutable", "text/javascript"},
		{"an unknown file", "GET", "/assets/app-13.js", 404, "", ""},
		{"a compressed file by its own name", "GET", "/assets/app-12.js.br", 404, "", ""},
		{"a dot file is not served", "GET", "/.keep", 404, "", ""},
		{"another method", "POST", "/", 404, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := app.Test(httptest.NewRequest(test.method, test.path, nil))
			if err != nil {
				t.Fatal(err)
			}
			if r.StatusCode != test.status || !strings.Contains(r.Header.Get("Cache-Control"), test.cache) || test.status == 200 && !strings.Contains(r.Header.Get("Content-Type"), test.contentType) {
				t.Errorf("got %d, %v", r.StatusCode, r.Header)
			}
		})
	}

	t.Run("Brotli where it is understood", func(t *testing.T) {
		for accept, want := range map[string][2]string{
			"gzip, deflate, br, zstd": {"br", "let x, compressed"},
			"gzip, deflate":           {"", "let x"}, // too short for gzip
			"":                        {"", "let x"},
		} {
			req := httptest.NewRequest("GET", "/assets/app-12.js", nil)
			req.Header.Set("Accept-Encoding", accept)
			r, err := app.Test(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(r.Body)
			if got := [2]string{r.Header.Get("Content-Encoding"), string(body)}; got != want || r.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%q is answered by %q, varying by %q", accept, got, r.Header.Get("Vary"))
			}
		}
	})

	t.Run("gzip and ETag", func(t *testing.T) {
		req := httptest.NewRequest("GET", "/", nil)
		req.Header.Set("Accept-Encoding", "gzip")
		r, err := app.Test(req)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(z); string(body) != page {
			t.Errorf("inflated to %d bytes, want %d", len(body), len(page))
		}
		req = httptest.NewRequest("GET", "/", nil)
		req.Header.Set("If-None-Match", r.Header.Get("ETag"))
		if r, err = app.Test(req); err != nil || r.StatusCode != 304 {
			t.Errorf("a page already had answers %v %v, not 304", r.StatusCode, err)
		}
	})
}

func TestAssetsWithoutApp(t *testing.T) {
	a, err := newAssets(fstest.MapFS{".keep": {}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(a.page.plain), "make build") {
		t.Error("the placeholder does not say how to build the app")
	}
}

func TestBuildNamesTheContent(t *testing.T) {
	one, _ := newAssets(fstest.MapFS{"index.html": {Data: []byte("a")}})
	two, _ := newAssets(fstest.MapFS{"index.html": {Data: []byte("b")}})
	if one.build == two.build || one.build == "" {
		t.Errorf("builds %q and %q", one.build, two.build)
	}
}
