package tail

import (
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// watcher turns fsnotify's events into two hints: something was written, and names changed. A nil watcher gives none.
type watcher struct {
	fs   *fsnotify.Watcher
	wake chan struct{} // holds one

	mu    sync.Mutex
	files map[string]bool // the files that are read; guarded by mu
	scan  bool            // names changed; guarded by mu
	dirs  map[string]bool // watched; only the follower's
}

// newWatcher returns nil where the system gives no more watches: polling does the work then.
func newWatcher(log *slog.Logger) *watcher {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		log.Info("no file notification; polling alone", "error", err)
		return nil
	}
	w := &watcher{fs: notify, wake: make(chan struct{}, 1), files: map[string]bool{}, dirs: map[string]bool{}}
	go w.run()
	return w
}

func (w *watcher) run() {
	for {
		select {
		case event, ok := <-w.fs.Events:
			if !ok {
				return
			}
			w.mu.Lock()
			hint := w.files[event.Name]
			if !event.Op.Has(fsnotify.Write) {
				hint, w.scan = true, true
			}
			w.mu.Unlock()
			if hint {
				w.poke()
			}
		case _, ok := <-w.fs.Errors: // an overflow: events were lost
			if !ok {
				return
			}
			w.mu.Lock()
			w.scan = true
			w.mu.Unlock()
			w.poke()
		}
	}
}

func (w *watcher) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watcher) woken() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.wake
}

// takeScan reports, once, that names changed.
func (w *watcher) takeScan() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	scan := w.scan
	w.scan = false
	return scan
}

// follow sets what is watched: the folders of the paths and of the files they lead to, and of the patterns.
func (w *watcher) follow(paths map[string]*watched, patterns []string) {
	if w == nil {
		return
	}
	dirs, files := map[string]bool{}, map[string]bool{}
	for _, p := range patterns {
		dirs[filepath.Dir(p)] = true
	}
	for path, p := range paths {
		dirs[filepath.Dir(path)], files[path] = true, true
		if p.cur != nil {
			dirs[filepath.Dir(p.cur.pos.Real)], files[p.cur.pos.Real] = true, true
		}
	}
	w.mu.Lock()
	w.files = files
	w.mu.Unlock()
	for dir := range w.dirs {
		if !dirs[dir] {
			_ = w.fs.Remove(dir) // gone already, perhaps
			delete(w.dirs, dir)
		}
	}
	for dir := range dirs { // again each time: the folder may be another one by now
		if err := w.fs.Add(dir); err == nil {
			w.dirs[dir] = true
		}
	}
}

func (w *watcher) close() {
	if w != nil {
		w.fs.Close()
	}
}
