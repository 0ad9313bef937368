package convert

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/eyrie-sec/eyrie/asff"
)

func number(n int) *int { return &n }

func TestNetwork(t *testing.T) {
	out := &asff.Network{Direction: "OUT", Protocol: "TCP", SourceIpV4: "10.0.0.1", SourcePort: number(41234), DestinationIpV4: "203.0.113.9", DestinationPort: number(443)}
	in := &asff.Network{Direction: "IN", Protocol: "TCP", SourceIpV4: "203.0.113.9", SourcePort: number(41234), DestinationIpV4: "10.0.0.1", DestinationPort: number(443)}
	tests := []struct {
		name, fields string
		want         *asff.Network
		target       string
	}{
		{"tuple, connect", `"evt.type":"connect","fd.l4proto":"tcp","fd.name":"10.0.0.1:41234->203.0.113.9:443"`, out, "203.0.113.9:443"},
		{"tuple, accept", `"evt.type":"accept4","fd.l4proto":"tcp","fd.name":"203.0.113.9:41234->10.0.0.1:443"`, in, "203.0.113.9:443"},
		{"local and remote, connect", `"evt.type":"connect","fd.l4proto":"tcp","fd.lip":"10.0.0.1","fd.lport":41234,"fd.rip":"203.0.113.9","fd.rport":443`, out, "203.0.113.9:443"},
		{"local and remote, accept", `"evt.type":"accept","fd.l4proto":"tcp","fd.lip":"10.0.0.1","fd.lport":443,"fd.rip":"203.0.113.9","fd.rport":41234`, in, "203.0.113.9:443"},
		{"client and server", `"evt.type":"connect","fd.l4proto":"tcp","fd.cip":"10.0.0.1","fd.cport":41234,"fd.sip":"203.0.113.9","fd.sport":443`, out, "203.0.113.9:443"},
		{"ports tell we are the client", `"evt.type":"sendto","fd.l4proto":"tcp","fd.name":"10.0.0.1:41234->203.0.113.9:443","fd.lport":41234,"fd.rport":443`, out, "203.0.113.9:443"},
		{"ports tell we are the server", `"evt.type":"recvfrom","fd.l4proto":"tcp","fd.name":"203.0.113.9:41234->10.0.0.1:443","fd.lport":443,"fd.rport":41234`, in, "203.0.113.9:443"},
		{"Falco says we are the server", `"evt.type":"read","fd.is_server":true,"fd.l4proto":"tcp","fd.name":"203.0.113.9:41234->10.0.0.1:443"`, in, "203.0.113.9:443"},
		{"direction unknown", `"evt.type":"dup2","fd.l4proto":"tcp","fd.name":"10.0.0.1:41234->203.0.113.9:443"`,
			&asff.Network{Protocol: "TCP", SourceIpV4: "10.0.0.1", SourcePort: number(41234), DestinationIpV4: "203.0.113.9", DestinationPort: number(443)}, "203.0.113.9:443"},
		{"IPv6", `"evt.type":"connect","fd.l4proto":"udp","fd.name":"2001:db8::1:41234->2001:db8::2:53"`,
			&asff.Network{Direction: "OUT", Protocol: "UDP", SourceIpV6: "2001:db8::1", SourcePort: number(41234), DestinationIpV6: "2001:db8::2", DestinationPort: number(53)}, "[2001:db8::2]:53"},
		{"IPv4 in IPv6", `"evt.type":"connect","fd.name":"::ffff:10.0.0.1:41234->::ffff:203.0.113.9:443"`,
			&asff.Network{Direction: "OUT", SourceIpV4: "10.0.0.1", SourcePort: number(41234), DestinationIpV4: "203.0.113.9", DestinationPort: number(443)}, "203.0.113.9:443"},
		{"domains", `"evt.type":"connect","fd.sip":"203.0.113.9","fd.sip.name":"pool.example.com","fd.cip.name":"10.0.0.1"`,
			&asff.Network{Direction: "OUT", DestinationIpV4: "203.0.113.9", DestinationDomain: "pool.example.com"}, "203.0.113.9"},
		{"server socket", `"evt.type":"listen","fd.type":"ipv4","fd.l4proto":"tcp","fd.name":"0.0.0.0:8080"`,
			&asff.Network{Direction: "IN", Protocol: "TCP", DestinationIpV4: "0.0.0.0", DestinationPort: number(8080)}, "0.0.0.0:8080"},
		{"raw is no protocol", `"evt.type":"connect","fd.l4proto":"raw","fd.sip":"203.0.113.9"`, &asff.Network{Direction: "OUT", DestinationIpV4: "203.0.113.9"}, "203.0.113.9"},
		{"not available", `"evt.type":"socket","fd.l4proto":"<NA>","fd.lport":null,"fd.name":"","fd.rport":null,"fd.type":"<NA>"`, nil, ""},
		{"file", `"evt.type":"openat","fd.name":"/etc/a->b"`, nil, "/etc/a->b"},
		{"Unix socket", `"evt.type":"connect","fd.type":"unix","fd.name":"ffff9d8c0000->0 /run/docker.sock"`, nil, "/run/docker.sock"},
		{"nonsense", `"evt.type":"connect","fd.type":"ipv4","fd.name":"::->:","fd.sport":70000`, nil, "::->:"[:0]},
	}
	c := converter(t, Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := c.Convert(alert(t, "R", tt.fields), origin)
			if diff := cmp.Diff(tt.want, f.Network); diff != "" {
				t.Errorf("Network (-want +got):\n%s", diff)
			}
			if got := f.ProductFields["eyrie/target"]; got != tt.target {
				t.Errorf("target %q, want %q", got, tt.target)
			}
		})
	}
}

func TestFileOf(t *testing.T) {
	tests := []struct{ fields, want string }{
		{`"fd.name":"/etc/shadow","evt.arg.path":"/x"`, "/etc/shadow"},
		{`"fd.name":"","evt.arg.name":"/root/.bash_history"`, "/root/.bash_history"},
		{`"evt.arg.target":"/etc","evt.arg.linkpath":"/tmp/x"`, "/etc"},
		{`"evt.arg.oldpath":"/etc/shadow","evt.arg.newpath":"/tmp/x"`, "/etc/shadow"},
		{`"evt.args":"res=0 dirfd=-100(AT_FDCWD) name=/bin/x y flags=512(AT_REMOVEDIR)"`, "/bin/x y"},
		{`"evt.args":"res=0 olddirfd=-100(AT_FDCWD) oldpath=/bin/true newdirfd=-100(AT_FDCWD) newpath=/bin/t2"`, "/bin/true"},
		{`"evt.args":"res=0 path=/bin/hello"`, "/bin/hello"},
		{`"evt.args":"fd=3 name=../etc/shadow(/etc/shadow) flags=1"`, "/etc/shadow"},
		{`"evt.args":"xpath=/a pathname=/b"`, ""},
		{`"evt.args":"res=0 domain=17(AF_PACKET) type=3"`, ""},
		{``, ""},
	}
	for _, tt := range tests {
		var v view
		v.read(alert(t, "R", tt.fields), fieldTable(), nil)
		if got := fileOf(&v); got != tt.want {
			t.Errorf("file of %s = %q, want %q", tt.fields, got, tt.want)
		}
	}
}
