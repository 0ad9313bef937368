package journaltest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/eyrie-sec/eyrie/falco"
	"github.com/eyrie-sec/eyrie/journal"
)

// origin is that of all entries made here.
var origin = falco.Origin{Account: "123456789012", Region: "eu-central-1", Cluster: "payments"}

// began is when the first alert happened.
var began = time.Date(2026, 11, 21, 2, 25, 59, 0, time.UTC)

// Body returns alert n of an endless, repeatable row of different ones, each about 1 KB, as Falco prints them.
func Body(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	at := began.Add(time.Duration(n)*13*time.Millisecond + time.Duration(r.IntN(1e6)))
	pid := 1000 + r.IntN(60000)
	container := fmt.Sprintf("%012x", r.Uint64N(1<<48)%64*0x9e3779b97f)
	pod := "payments-api-7d9f8b6c5d-" + strconv.FormatInt(int64(r.IntN(64)), 36)
	file := fmt.Sprintf("/etc/pam.d/%s", []string{"sshd", "sudo", "login", "su"}[r.IntN(4)])
	return fmt.Appendf(nil, `{"hostname":"node-%d","output":"%s: Warning Sensitive file opened for reading by non-trusted program (file=%s gparent=containerd-shim ggparent=systemd gggparent=<NA> evt_type=openat user=root user_uid=0 user_loginuid=-1 process=cat proc_exepath=/usr/bin/cat parent=sh command=cat %s terminal=34816 container_id=%s container_name=payments-api container_image_repository=registry.example/payments/api container_image_tag=1.42.0 k8s_pod_name=%s k8s_ns_name=payments)","output_fields":{"container.id":"%s","container.image.repository":"registry.example/payments/api","container.image.tag":"1.42.0","container.name":"payments-api","evt.time":%d,"evt.type":"openat","fd.name":"%s","k8s.ns.name":"payments","k8s.pod.name":"%s","proc.cmdline":"cat %s","proc.exepath":"/usr/bin/cat","proc.name":"cat","proc.pid":%d,"proc.pname":"sh","proc.tty":34816,"user.loginuid":-1,"user.name":"root","user.uid":0},"priority":"Warning","rule":"Read sensitive file untrusted","source":"syscall","tags":["T1555","container","filesystem","host","maturity_stable","mitre_credential_access"],"time":"%s"}`,
		r.IntN(8), at.Format("15:04:05.000000000"), file, file, container, pod, container, at.UnixNano(), file, pod, file, pid, at.Format("2006-01-02T15:04:05.000000000Z"))
}

// Entry returns the entry of alert n.
func Entry(t testing.TB, n int) journal.Entry {
	t.Helper()
	return EntryOf(t, Body(n))
}

// EntryOf returns the entry of body.
func EntryOf(t testing.TB, body []byte) journal.Entry {
	t.Helper()
	e, err := MakeEntry(body)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return e
}

// MakeEntry is EntryOf where there is no test.
func MakeEntry(body []byte) (journal.Entry, error) {
	alert, err := falco.Parse(body)
	if err != nil {
		return journal.Entry{}, err
	}
	fingerprint, err := falco.Fingerprint(body, origin)
	return journal.Entry{Way: "webhook", Origin: origin, Body: body, Fingerprint: fingerprint, Alert: alert}, err
}
