package convert

import (
	"bytes"
	"io"
	"testing"

	"github.com/eyrie-sec/eyrie/falco"
)

// sample is an alert of the usual size, of a pod.
const sample = `{"hostname":"node-1","output":"02:25:48.706460373: Error File below /etc opened for writing | file=/etc/app.conf pcmdline=bash /opt/job.sh gparent=containerd-shim ggparent=<NA> gggparent=<NA> evt_type=openat user=root user_uid=0 user_loginuid=-1 process=touch proc_exepath=/usr/bin/touch parent=bash command=touch /etc/app.conf terminal=0 container_id=ee5e154fac58","output_fields":{"container.id":"ee5e154fac58","container.image.repository":"registry.example.com/shop/payments-api","container.image.tag":"1.4.2","container.name":"payments-api","evt.time":1795227948706460373,"evt.type":"openat","fd.name":"/etc/app.conf","k8s.ns.name":"shop","k8s.pod.name":"payments-api-6d4cf56db6-x2v9k","proc.aname[2]":"containerd-shim","proc.aname[3]":null,"proc.cmdline":"touch /etc/app.conf","proc.exepath":"/usr/bin/touch","proc.name":"touch","proc.pcmdline":"bash /opt/job.sh","proc.pname":"bash","proc.tty":0,"user.loginuid":-1,"user.name":"root","user.uid":0},"priority":"Error","rule":"Write below etc","source":"syscall","tags":["T1098","container","filesystem","host","maturity_sandbox","mitre_persistence"],"time":"2026-11-21T02:25:48.706460373Z"}`

// TestAllocations sets the ceiling of one conversion; the finding's maps are about half of them.
func TestAllocations(t *testing.T) {
	c := converter(t, Config{Remediation: shipped(t)})
	a := parse(t, sample)
	if got := testing.AllocsPerRun(100, func() { c.Convert(a, origin) }); got > 14 {
		t.Errorf("Convert allocates %v times, want at most 14", got)
	}
}

// BenchmarkConvert is the whole way of one alert: text in, text out.
func BenchmarkConvert(b *testing.B) {
	c := converter(b, Config{Remediation: shipped(b)})
	record := []byte(sample)
	buf := make([]byte, 0, 16<<10)
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		a, err := falco.Parse(record)
		if err != nil {
			b.Fatal(err)
		}
		buf = c.Convert(a, origin).AppendJSON(buf[:0])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
}

func BenchmarkConvertOnly(b *testing.B) {
	c := converter(b, Config{Remediation: shipped(b)})
	a := parse(b, sample)
	b.ReportAllocs()
	for b.Loop() {
		c.Convert(a, origin)
	}
}

func BenchmarkIdentify(b *testing.B) {
	c := converter(b, Config{Remediation: shipped(b)})
	a := parse(b, sample)
	b.ReportAllocs()
	for b.Loop() {
		c.Identify(a, origin)
	}
}

func BenchmarkStream(b *testing.B) {
	c := converter(b, Config{Remediation: shipped(b)})
	const alerts = 1000
	text := bytes.Repeat([]byte(sample+"\n"), alerts)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		result, err := Stream(b.Context(), bytes.NewReader(text), io.Discard, c, origin, nil)
		if err != nil || result.Converted != alerts {
			b.Fatal(result, err)
		}
	}
	b.ReportMetric(float64(b.N)*alerts/b.Elapsed().Seconds(), "alerts/s")
}
