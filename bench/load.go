package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// load posts alerts over keep-alive connections, each request holding perRequest alerts, as fast as the server answers.
// It speaks HTTP/1.1 with prepared bytes: a client that costs much would measure itself on a machine with two cores.
type load struct {
	addr, key   string
	connections int
	alerts      int // in all
	distinct    int // troubles: alerts i and i+distinct are of the same finding
	perRequest  int
}

// outcome is what a load came to.
type outcome struct {
	accepted int
	took     time.Duration
	slowest  time.Duration
	answers  []time.Duration // one a request, in no order
}

func (l load) run() (outcome, error) {
	var next atomic.Int64
	var mu sync.Mutex
	var out outcome
	errs := make(chan error, l.connections)
	start := time.Now()
	for range l.connections {
		go func() {
			times, accepted, err := l.connection(&next)
			mu.Lock()
			out.answers = append(out.answers, times...)
			out.accepted += accepted
			mu.Unlock()
			errs <- err
		}()
	}
	var first error
	for range l.connections {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	out.took = time.Since(start)
	for _, d := range out.answers {
		out.slowest = max(out.slowest, d)
	}
	return out, first
}

func (l load) connection(next *atomic.Int64) (times []time.Duration, accepted int, err error) {
	conn, err := net.Dial("tcp", l.addr)
	if err != nil {
		return nil, 0, err
	}
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 4096)
	var body, request []byte
	for {
		first := int(next.Add(int64(l.perRequest))) - l.perRequest
		if first >= l.alerts {
			return times, accepted, nil
		}
		n := min(l.perRequest, l.alerts-first)
		body = body[:0]
		for i := first; i < first+n; i++ {
			body = append(appendAlert(body, i, i%l.distinct), '\n')
		}
		request = fmt.Appendf(request[:0], "POST /falco/%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", l.key, l.addr, len(body))
		request = append(request, body...)
		began := time.Now()
		if _, err := conn.Write(request); err != nil {
			return times, accepted, err
		}
		if err := readAnswer(r); err != nil {
			return times, accepted, err
		}
		times = append(times, time.Since(began))
		accepted += n
	}
}

// readAnswer reads one response and is an error unless its status is 2xx.
func readAnswer(r *bufio.Reader) error {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if len(status) < 12 {
		return fmt.Errorf("no HTTP answer: %q", status)
	}
	ok, line := status[9] == '2', string(status)
	length := 0
	for {
		header, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		header = textproto.TrimBytes(header)
		if len(header) == 0 {
			break
		}
		if value, found := bytes.CutPrefix(header, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
	}
	if _, err := io.CopyN(io.Discard, r, int64(length)); err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("the server answered %q", line)
	}
	return nil
}

// letters writes a number in letters: digits in names often mean nothing, and conversion passes over some.
func letters(n int) string {
	b := []byte{byte('a' + n%26)}
	for n /= 26; n > 0; n /= 26 {
		b = append(b, byte('a'+n%26))
	}
	return string(b)
}

// loadStart is the time of the first alert of a load.
var loadStart = time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)

// appendAlert appends alert i of trouble t: about 930 bytes, shaped as Falco 0.44 prints "Read sensitive file untrusted" in
// a pod. Every alert has a time and a parent process of its own; the trouble decides file, process, pod and namespace.
func appendAlert(b []byte, i, t int) []byte {
	at := loadStart.Add(time.Duration(i) * 50 * time.Microsecond)
	clock := at.Format("15:04:05.000000000")
	pod := fmt.Sprintf("payments-api-7d4b9c6f5d-%05d", t%40)
	file := "/etc/shadow.d/" + letters(t/40) + "/entry"
	b = fmt.Appendf(b, `{"hostname":"node-%d","output":"%s: Warning Sensitive file opened for reading by non-trusted program | file=%s evt_type=openat user=root process=cat parent=bash command=cat %s container_name=payments-api",`, t%8, clock, file, file)
	b = fmt.Appendf(b, `"output_fields":{"container.id":"ee5e154fac58","container.image.repository":"registry.example.com/shop/payments-api","container.image.tag":"1.4.2","container.name":"payments-api","evt.time":%d,"evt.type":"openat","fd.name":"%s",`, at.UnixNano(), file)
	b = fmt.Appendf(b, `"k8s.ns.name":"payments-%d","k8s.pod.name":"%s","proc.aname[2]":"containerd-shim","proc.exepath":"/usr/bin/cat","proc.name":"cat","proc.pid":%d,"proc.pname":"bash","proc.tty":0,"user.name":"root","user.uid":0},`, t%5, pod, 1000+i%30000)
	return fmt.Appendf(b, `"priority":"Warning","rule":"Read sensitive file untrusted","source":"syscall","tags":["T1555","container","filesystem","mitre_credential_access"],"time":"%s"}`, at.Format("2006-01-02T15:04:05.000000000Z"))
}
