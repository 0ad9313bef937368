package convert

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/eyrie-sec/eyrie/asff"
)

// connection is a network connection as far as an alert tells. Falco calls the side that accepts the server.
type connection struct {
	protocol       string // IANA's name in upper case, "" if unknown
	direction      string // "IN", "OUT" or "" if unknown
	client, server endpoint
}

type endpoint struct {
	address netip.Addr
	port    int // -1 if unknown
	domain  string
}

func (c *connection) known() bool { return c.client.address.IsValid() || c.server.address.IsValid() }

// endpoint is the remote side as text: its address and the port of the service, which for incoming connections is
// ours. The other port is ephemeral and says nothing. A socket that listens is its own address. "" if there is no
// connection.
func (c *connection) endpoint() string {
	remote := c.server.address
	if c.client.address.IsValid() && (c.direction == "IN" || !remote.IsValid()) {
		remote = c.client.address
	}
	switch {
	case !remote.IsValid():
		return ""
	case c.server.port < 0:
		return remote.String()
	}
	return netip.AddrPortFrom(remote, uint16(c.server.port)).String()
}

// connectionOf reads the connection from the fields of the two sides, else from fd.name ("10.0.0.1:41234->10.0.0.2:80",
// the client first).
func connectionOf(v *view) connection {
	c := connection{client: endpoint{port: -1}, server: endpoint{port: -1}}
	name := v.get(fdName)
	if v.first(fdClientIP, fdServerIP, fdLocalIP, fdRemoteIP) == "" && !strings.Contains(name, "->") {
		if kind := v.get(fdType); kind != "ipv4" && kind != "ipv6" {
			return c
		}
	}
	local, remote := side(v, fdLocalIP, fdLocalPort), side(v, fdRemoteIP, fdRemotePort)
	c.client, c.server = side(v, fdClientIP, fdClientPort), side(v, fdServerIP, fdServerPort)
	if left, right, ok := strings.Cut(name, "->"); ok {
		c.client.fill(parseEndpoint(left))
		c.server.fill(parseEndpoint(right))
	} else if v.get(fdType) == "ipv4" || v.get(fdType) == "ipv6" {
		c.server.fill(parseEndpoint(name)) // a socket that listens or is not connected
	}
	c.direction = direction(v, &c, local, remote)
	switch c.direction {
	case "IN":
		c.client.fill(remote)
		c.server.fill(local)
	case "OUT":
		c.client.fill(local)
		c.server.fill(remote)
	}
	c.client.domain, c.server.domain = domain(v.get(fdClientDomain)), domain(v.get(fdServerDomain))
	c.protocol = ianaProtocol(v.get(fdProtocol))
	return c
}

// direction says who opened the connection, as the system call or else the sides' addresses and ports tell.
func direction(v *view, c *connection, local, remote endpoint) string {
	switch v.get(evtType) {
	case "accept", "accept4", "listen":
		return "IN"
	case "connect":
		return "OUT"
	}
	switch v.get(fdIsServer) {
	case "true":
		return "IN"
	case "false":
		return "OUT"
	}
	switch {
	case local.port >= 0 && local.port == c.server.port && local.port != c.client.port,
		remote.port >= 0 && remote.port == c.client.port && remote.port != c.server.port:
		return "IN"
	case remote.port >= 0 && remote.port == c.server.port && remote.port != c.client.port,
		local.port >= 0 && local.port == c.client.port && local.port != c.server.port:
		return "OUT"
	}
	switch local, remote := local.address, remote.address; {
	case local.IsValid() && local == c.server.address && local != c.client.address:
		return "IN"
	case remote.IsValid() && remote == c.server.address && remote != c.client.address:
		return "OUT"
	}
	return ""
}

func side(v *view, address, port slot) endpoint {
	return endpoint{address: parseAddress(v.get(address)), port: parsePort(v.get(port))}
}

// fill adds what is not known yet.
func (e *endpoint) fill(more endpoint) {
	if !e.address.IsValid() {
		e.address = more.address
	}
	if e.port < 0 {
		e.port = more.port
	}
}

// parseEndpoint reads "10.0.0.2:80", "::1:80" (as Falco prints IPv6) and "[::1]:80".
func parseEndpoint(s string) endpoint {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return endpoint{port: -1}
	}
	address := parseAddress(strings.Trim(s[:i], "[]"))
	if !address.IsValid() {
		return endpoint{port: -1}
	}
	return endpoint{address: address, port: parsePort(s[i+1:])}
}

func parseAddress(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	address, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}

func parsePort(s string) int {
	if s == "" {
		return -1
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return -1
	}
	return int(n)
}

// domain returns a name of fd.sip.name and the like; Falco gives the address where it has no name.
func domain(s string) string {
	if s == "" || parseAddress(s).IsValid() {
		return ""
	}
	return s
}

// ianaProtocol returns the protocol's keyword of IANA's registry of protocol numbers. Falco's "raw" is none.
func ianaProtocol(s string) string {
	switch strings.ToLower(s) {
	case "tcp":
		return "TCP"
	case "udp":
		return "UDP"
	case "icmp":
		return "ICMP"
	case "icmp6", "icmpv6":
		return "IPV6-ICMP"
	case "sctp":
		return "SCTP"
	}
	return ""
}

// network writes the finding's Network, nil for an alert that is not about a connection.
func network(v *view, c *connection) *asff.Network {
	if !c.known() {
		return nil
	}
	for _, s := range [...]slot{fdClientIP, fdServerIP, fdClientPort, fdServerPort, fdClientDomain, fdServerDomain} {
		v.used[s] = true
	}
	if c.direction != "" {
		for _, s := range [...]slot{fdLocalIP, fdRemoteIP, fdLocalPort, fdRemotePort} {
			v.used[s] = true
		}
	}
	v.used[fdProtocol] = c.protocol != ""
	n := &asff.Network{
		Direction: c.direction, Protocol: c.protocol,
		SourceDomain: c.client.domain, DestinationDomain: c.server.domain,
		SourcePort: port(c.client.port), DestinationPort: port(c.server.port),
	}
	n.SourceIpV4, n.SourceIpV6 = addressText(c.client.address)
	n.DestinationIpV4, n.DestinationIpV6 = addressText(c.server.address)
	return n
}

func addressText(a netip.Addr) (v4, v6 string) {
	switch {
	case a.Is4():
		return a.String(), ""
	case a.Is6():
		return "", a.String()
	}
	return "", ""
}

func port(n int) *int {
	if n < 0 {
		return nil
	}
	return &n
}

// fileOf returns the file an alert is about, "" if it names none. Of two files in one event it is the one that the
// rules watch: the target of a link, the old name before the new one.
func fileOf(v *view) string {
	if name := v.first(fdName, fdNameRaw); strings.HasPrefix(name, "/") || strings.HasPrefix(name, "memfd:") {
		return name
	}
	if _, path, ok := strings.Cut(v.get(fdName), " /"); ok && strings.Contains(v.get(fdName), "->") {
		return "/" + path // a Unix socket: "ffff9d8c0->0 /run/docker.sock", by kernel addresses
	}
	if name := v.first(evtPath, evtName, evtFilename, evtTarget, evtOldPath, evtNewPath, evtLinkPath, fsPathName, fsPathTarget, fsPathSource); name != "" {
		return name
	}
	args := v.get(evtArgs)
	for _, key := range [...]string{"path=", "name=", "filename=", "target=", "oldpath=", "newpath=", "linkpath="} {
		if file := eventArgument(args, key); strings.HasPrefix(file, "/") {
			return file
		}
	}
	if name := v.get(ctName); name != "" {
		return name
	}
	return ""
}

// eventArgument finds an argument in evt.args ("res=0 dirfd=-100(AT_FDCWD) name=/bin/x flags=0"); key ends with "=".
// Values may have spaces, so that a value ends where the next word with an equals sign begins. A value of the form
// TEXT(TEXT), a path and the same path resolved, is the second.
func eventArgument(args, key string) string {
	at := strings.Index(args, key)
	for at > 0 && args[at-1] != ' ' {
		next := strings.Index(args[at+1:], key)
		if next < 0 {
			return ""
		}
		at += 1 + next
	}
	if at < 0 {
		return ""
	}
	value := args[at+len(key):]
	for i := range len(value) {
		if value[i] != ' ' {
			continue
		}
		word, _, _ := strings.Cut(value[i+1:], " ")
		if name, _, ok := strings.Cut(word, "="); ok && isLower(name) && name != "" {
			value = value[:i]
			break
		}
	}
	if open := strings.IndexByte(value, '('); open > 0 && strings.HasSuffix(value, ")") && strings.HasPrefix(value[open+1:], "/") {
		return value[open+1 : len(value)-1]
	}
	return value
}
