package server

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"path"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// placeholder is shown where the binary was built without the app.
const placeholder = `<!doctype html><html lang="en"><meta charset="utf-8"><title>topdeck</title>
<h1>topdeck runs, but its app was not built in</h1>
<p>Build it with Node and make: <code>make build</code>, then start <code>bin/topdeck</code> again. The HTTP interface works all the same.</p></html>
`

// assets serves the browser app from memory: files named by their content for ever, the rest revalidated by ETag, and the
// page itself for every path that is a place within the app.
type assets struct {
	files map[string]*asset // by URL path
	page  *asset
	build string // names the app's content; another build has another name
}

type asset struct {
	contentType string
	etag        string
	plain       []byte
	brotli      []byte        // made when the app was built; nil where it was not
	gzip        func() []byte // made when first asked for
}

// newAssets reads the whole app. The file system is the root of the built app, with index.html in it or not; NAME.br in it is the
// file NAME, compressed.
func newAssets(app fs.FS) (*assets, error) {
	a := &assets{files: map[string]*asset{}}
	sum := sha256.New()
	err := fs.WalkDir(app, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		body, err := fs.ReadFile(app, name)
		if err != nil {
			return err
		}
		if of, compressed := strings.CutSuffix(name, ".br"); compressed {
			if file := a.files["/"+of]; file != nil { // a walk comes by NAME before NAME.br
				file.brotli = body
			}
			return nil
		}
		sum.Write([]byte(name))
		sum.Write(body)
		a.files["/"+name] = newAsset(name, body)
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.build = hex.EncodeToString(sum.Sum(nil)[:8])
	a.page = a.files["/index.html"]
	if a.page == nil {
		a.page = newAsset("index.html", []byte(placeholder))
	}
	return a, nil
}

func newAsset(name string, body []byte) *asset {
	sum := sha256.Sum256(body)
	contentType := mime.TypeByExtension(path.Ext(name))
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	return &asset{
		contentType: contentType,
		etag:        `"` + hex.EncodeToString(sum[:12]) + `"`,
		plain:       body,
		gzip:        sync.OnceValue(func() []byte { return fasthttp.AppendGzipBytesLevel(nil, body, fasthttp.CompressBestCompression) }),
	}
}

// handle answers GET and HEAD outside /api.
func (a *assets) handle(c *fiber.Ctx) error {
	if method := c.Method(); method != fiber.MethodGet && method != fiber.MethodHead {
		return &Error{Code: "not_found", Message: "this path answers GET only"}
	}
	name := c.Path()
	file := a.files[name]
	switch {
	case file != nil && strings.HasPrefix(name, "/assets/"):
		c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	case file != nil:
		c.Set(fiber.HeaderCacheControl, "no-cache")
	case path.Ext(name) == "":
		file = a.page
		c.Set(fiber.HeaderCacheControl, "no-cache")
	default:
		return &Error{Code: "not_found", Message: "no such file"}
	}
	c.Set(fiber.HeaderETag, file.etag)
	c.Set(fiber.HeaderContentType, file.contentType)
	c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	if c.Get(fiber.HeaderIfNoneMatch) == file.etag {
		return c.SendStatus(fiber.StatusNotModified)
	}
	accepts := c.Context().Request.Header.HasAcceptEncoding
	if file.brotli != nil && accepts("br") {
		c.Set(fiber.HeaderContentEncoding, "br")
		return c.Send(file.brotli)
	}
	// Fonts and images are compressed already; a few hundred bytes are not worth it.
	text := strings.HasPrefix(file.contentType, "text/") || strings.Contains(file.contentType, "json") || strings.HasSuffix(file.contentType, "svg+xml")
	if text && len(file.plain) > 512 && accepts("gzip") {
		c.Set(fiber.HeaderContentEncoding, "gzip")
		return c.Send(file.gzip())
	}
	return c.Send(file.plain)
}
