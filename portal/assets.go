package portal

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed static templates
var embedded embed.FS

// assets are the static files, each under a URL that holds a hash of its content, so that it may be cached for ever.
type assets struct {
	urls   map[string]string // "app.js" -> "/static/app.0123456789ab.js"
	byName map[string]*asset // "app.0123456789ab.js" -> file
}

type asset struct {
	kind        string // Content-Type
	plain, gzip []byte
}

var contentTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

func loadAssets() (*assets, error) {
	all := &assets{urls: map[string]string{}, byName: map[string]*asset{}}
	entries, err := fs.ReadDir(embedded, "static")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		content, err := fs.ReadFile(embedded, "static/"+e.Name())
		if err != nil {
			return nil, err
		}
		ext := path.Ext(e.Name())
		kind, ok := contentTypes[ext]
		if !ok {
			return nil, fmt.Errorf("no content type for %s", e.Name())
		}
		packed, err := pack(content)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		name := strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		all.urls[e.Name()] = "/static/" + name
		all.byName[name] = &asset{kind: kind, plain: content, gzip: packed}
	}
	return all, nil
}

func pack(content []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// url returns the hashed URL of a static file; a name that does not exist fails the template that uses it.
func (a *assets) url(name string) (string, error) {
	u, ok := a.urls[name]
	if !ok {
		return "", fmt.Errorf("no static file %q", name)
	}
	return u, nil
}

func (p *Portal) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	file, ok := p.assets.byName[name]
	if !ok {
		http.Error(w, "no such file", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("ETag", `"`+name+`"`)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == `"`+name+`"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", file.kind)
	body := file.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = file.gzip
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client is gone: nobody to tell
}
